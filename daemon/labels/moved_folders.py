"""Folders that were moved or renamed as a whole: known by their inode."""

from daemon.labels.listed.tree import Tree


class MovedFolders:
    """Tells whether a photo came to its place with its folder.

    Args:
        before: the output as the last look saw it.
        now: as it is.
    """

    def __init__(self, before: Tree, now: Tree) -> None:
        self._now = {folder.key: path for path, folder in now.folders.items()}
        self._keys = {path: key for key, path in before.former.items()}
        self._keys |= {path: folder.key for path, folder in before.folders.items()}

    def of(self, left: str, entered: str) -> tuple[str, str] | None:
        """Return the outermost folder that was moved, and its new path; None if the photo was moved by itself.

        Args:
            left: where the photo was.
            entered: where it is.
        """
        steps = left.split("/")
        for number in range(1, len(steps)):
            folder, rest = "/".join(steps[:number]), "/".join(steps[number:])
            path = self._now.get(self._keys.get(folder, (0, 0)))
            if path is not None and path != folder and entered == f"{path}/{rest}":
                return folder, path
        return None
