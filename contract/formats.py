"""Recognise photos by the extension of their name or by their first bytes."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from contract.heif_whole import check_whole

if TYPE_CHECKING:
    from PIL import ImageFile

PHOTO_EXTENSIONS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"),
        *(".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif"),
    )
)
"""Lower-case extensions of photos."""

TAKEN_FOR_PHOTOS = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mos"),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        *(".x3f", ".thm"),
    )
)
"""Lower-case extensions of raw data, and of thumbnails of films. Many begin as a TIFF or a JPEG does and are none: they
lie beside the photo that they belong to."""

PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Formats that Pillow may open. It is an allow-list, because some formats start other programs (EPS) or hide archives.
The JPEG reader opens MPO, which has no opener of its own."""

_PLUGINS = ("AvifImagePlugin", "Jpeg2KImagePlugin", "TiffImagePlugin", "WebPImagePlugin")
# Pillow preloads the others. For these it would load all its plugins while it decodes the first photo.

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"))

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)

SNIFF_BYTES = 32
"""Number of first bytes that `sniff` needs."""


def has_photo_name(path: Path) -> bool:
    """Whether a path has the extension of a photo (`IMG_1.JPG`); the file is not opened."""
    return path.suffix.lower() in PHOTO_EXTENSIONS


def sniff(head: bytes) -> str | None:
    """Return the photo format of a file, from its first `SNIFF_BYTES` bytes, or None."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _sniff_isobmff(head[8:12])
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    return None


def _sniff_isobmff(brand: bytes) -> str | None:
    if brand in (b"avif", b"avis"):
        return "AVIF"
    return "HEIF" if brand in _HEIF_BRANDS else None


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that this installation reads; HEIF needs the package pi-heif."""
    from PIL import Image

    for plugin in _PLUGINS:
        import_module(f"PIL.{plugin}")
    if find_spec("pi_heif") is None:
        return PILLOW_FORMATS
    Image.register_open("HEIF", _open_heif, lambda head: sniff(head) == "HEIF")
    return (*PILLOW_FORMATS, "HEIF")


def _open_heif(file: IO[bytes], name: str | bytes) -> "ImageFile.ImageFile":
    """Open a whole HEIC photo; its library, which takes 30 ms to load, is loaded for the first one."""
    from pi_heif import HeifImageFile, options

    # Photos are decoded one per core already, and nothing but the picture is used.
    options.DECODE_THREADS = 0
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    check_whole(memoryview(file.read()))
    image: ImageFile.ImageFile = HeifImageFile(file, name)
    return image
