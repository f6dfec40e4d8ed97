"""Damaged photos of every format, and names that mean harm: each is filed or failed, and the daemon lives."""

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, features

from benchmarks.promise.world import BrokenError, World

Tell = Callable[[str], None]
FORMATS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "PPM": ".ppm"}
OPTIONAL = {"AVIF": (".avif", "avif"), "JPEG2000": (".jp2", "jpg_2000")}
BATCH = 1000


def fuzz(world: World, photos: int, seed: int, tell: Tell) -> dict[str, int]:
    """File mutated photos with `sort`, which gives unreadable ones up at once.

    A photo that a mutation gave a form which is not read here, such as a TIFF of 12 bits, is left with the reason.

    Raises:
        BrokenError: the process died, a file was lost, or one was left without a reason.
    """
    rng = random.Random(seed)
    originals = list(_originals())
    left: set[str] = set()
    for start in range(0, photos, BATCH):
        for number in range(start, min(photos, start + BATCH)):
            ending, data = originals[number % len(originals)]
            world.put_bytes(f"{number}{ending}", mutated(data, rng))
        left |= _left_with_a_reason(_sort(world))
    world.check()
    if there := {path.name for path in world.inbox.glob("[!.]*")} - left:
        raise BrokenError(f"{len(there)} photos were left without a reason")
    counts = Counter("failed" if path.parent.name == "_failed" else "filed" for path in world.output.glob("*/*"))
    notes = sum(1 for _ in world.output.glob("_failed/*.why.txt"))
    counts["failed"] -= notes
    if notes != counts["failed"]:
        raise BrokenError(f"{counts['failed']} failed photos, but {notes} notes")
    counts["left"] = len(left)
    found = ", ".join(f"{counts[name]} {name}" for name in ("filed", "failed", "left"))
    tell(f"{photos} mutated photos of {len(originals)} kinds: {found}")
    return {"photos": photos, "filed": counts["filed"], "failed": counts["failed"], "left": counts["left"]}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes, cut, flipped, doubled or with a piece taken out; headers are hit as often as the rest."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        place = rng.randrange(min(len(out), 64) if rng.random() < 0.5 else len(out))
        match rng.randrange(5):
            case 0:
                out[place] ^= 1 << rng.randrange(8)
            case 1:
                out[place] = rng.choice((0, 0xFF, 0x7F, 0x80))
            case 2:
                del out[place + 1 : place + 1 + rng.randrange(16)]
            case 3:
                out[place:place] = out[place : place + rng.randrange(16)]
            case 4:
                out[place : place + 4] = rng.randbytes(4)
    if rng.random() < 0.2:
        del out[rng.randrange(1, len(out)) :]
    return bytes(out)


def names(world: World, count: int, seed: int, tell: Tell) -> dict[str, int]:
    """File good photos under hostile names.

    Raises:
        BrokenError: one was not filed, or filed under another name.
    """
    from benchmarks.promise.world import photo

    rng = random.Random(seed)
    wanted = {hostile_name(rng, number) for number in range(count)}
    for number, name in enumerate(sorted(wanted)):
        world.put_bytes(name, photo(number))
    _sort(world)
    world.check()
    got = {bytes(path.name, "utf-8", "surrogateescape") for path in world.output.glob("*/*")}
    if got != wanted:
        raise BrokenError(f"{len(wanted - got)} names were changed")
    tell(f"{len(wanted)} hostile names: all filed, all names kept")
    return {"names": len(wanted)}


def hostile_name(rng: random.Random, number: int) -> bytes:
    """Bytes that a file may be called by and that a careless program trips over."""
    parts = (
        b"\x1b[2J\x1b]0;x\x07", b"\n", b"\r", b"\t", b"'", b'"', b"`id`", b"$(id)", b";rm -rf .", b"|", b"&", b"*",
        b"?", b"\\", b"%s%n", b"{label}", b"..", b"<script>", b"=1+1", b"-rf", b"\xff\xfe", b"\xc3", "\u202e".encode(),
        "\u0130\u0131".encode(), "e\u0301".encode(), "\U0001f4f7".encode(), b" ", b"CON", b"~", b"#", b"\x7f", b"\x01",
    )  # fmt: skip
    body = b"".join(rng.choice(parts) for _ in range(rng.randrange(1, 6)))
    if rng.random() < 0.1:
        body = body.ljust(240, b"x")
    stem = b"%d%s" % (number, body[:240])  # a number first: what begins with a dot or ~ is left alone on purpose
    return stem + rng.choice((b".jpg", b".JPG", b".jpeg"))


def _left_with_a_reason(output: bytes) -> set[str]:
    events = [json.loads(line) for line in output.splitlines()]
    return {Path(event["path"]).name for event in events if event.get("outcome") == "left" and event["reason"]}


def _sort(world: World) -> bytes:
    words = world.command("sort")
    ended = subprocess.run([*words, "--give-up-after", "0"], capture_output=True, env=world.environment, timeout=900)
    if ended.returncode:
        raise BrokenError(f"sort ended with {ended.returncode}: {ended.stderr[-1000:]!r} {ended.stdout[-500:]!r}")
    return ended.stdout


def _originals() -> "list[tuple[str, bytes]]":
    """One photo of noise and shapes in each format that this Pillow writes, some of them twice over."""
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 255, (40, 48, 3), np.uint8))
    kinds = dict(FORMATS) | {name: ending for name, (ending, part) in OPTIONAL.items() if features.check(part)}
    made = [(ending, _encoded(image, name)) for name, ending in kinds.items()]
    made.append((".jpg", _encoded(image, "JPEG", progressive=True)))
    made.append((".tif", _encoded(image, "TIFF", compression="tiff_lzw")))
    made.append((".png", _encoded(image.convert("P"), "PNG")))
    made.append((".gif", _encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)])))
    made.append((".webp", _encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)])))
    return made


def _encoded(image: Image.Image, name: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, name, **options)
    return out.getvalue()
