"""What decodes photos here: its versions decide the pixels of a photo, and whether it can be read."""

from importlib.metadata import PackageNotFoundError, version

from PIL import features

from contract.readers import VERSION

_LIBRARIES = ("jpg", "libjpeg_turbo", "jpg_2000", "libtiff", "webp", "avif")


def decoders() -> str:
    """Names and versions of all decoders in one line: Pillow, its libraries, pi-heif, and this project's readers."""
    found = {"Pillow": _installed("pillow")}
    found |= {name: str(features.version(name)) for name in _LIBRARIES if features.check(name)}
    found |= {"pi-heif": _installed("pi-heif"), "own readers": str(VERSION)}
    return ", ".join(f"{name} {number}" for name, number in found.items() if number)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
