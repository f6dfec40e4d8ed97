"""Find foreign pictures, which belong to no class: receipts, screenshots and portraits beside scenes."""

from dataclasses import dataclass
from pathlib import Path

from training.dataset.folders import files_below, is_photo, visible_folders
from training.dataset.layout import Photo
from training.errors import DatasetError

_ADVICE = "Pass a folder of pictures that belong to no class, or of one folder for each kind."


@dataclass(frozen=True)
class ForeignPictures:
    """Pictures that belong to no class.

    Attributes:
        kinds: names of their kinds.
        photos: they have the number of their kind in place of a class.
        unlisted: folders that cannot be listed, each with the reason.
    """

    root: Path
    kinds: tuple[str, ...]
    photos: tuple[Photo, ...]
    unlisted: tuple[tuple[Path, str], ...]


def find_foreign(root: Path, dataset: Path) -> ForeignPictures:
    """Find foreign pictures: each subfolder is a kind, and pictures beside the subfolders are one too.

    Args:
        dataset: the folder of the photos of the classes.

    Raises:
        DatasetError: the folder does not exist, cannot be listed, holds no photo, or holds the dataset or lies in it.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. {_ADVICE}")
    here, there = root.resolve(), dataset.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise DatasetError(f"Some photos would be both foreign, in {root}, and of a class, in {dataset}. {_ADVICE}")
    folders = visible_folders(root)
    loose = sorted(path for path in root.iterdir() if path.is_file() and not path.name.startswith("."))
    missed: list[OSError] = []
    found = [loose, *(files_below(folder, missed.append) for folder in folders)]
    photos = tuple(Photo(path, kind) for kind, paths in enumerate(found) for path in paths if is_photo(path))
    if not photos:
        raise DatasetError(f"{root} holds no photos. {_ADVICE}")
    names = (here.name, *(folder.name for folder in folders))
    return ForeignPictures(root, names, photos, tuple((Path(error.filename), str(error.strerror)) for error in missed))
