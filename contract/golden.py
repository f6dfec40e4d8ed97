"""The golden sample: generated pictures with the probabilities that a model must reproduce before it is used.

Patterns go straight into the network and reveal wrong arithmetic (a driver, a provider, a precision). Small image files
pass through `to_input` first and reveal a wrong geometry (a decoder, an orientation, an order of channels).
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from common.drawing import KINDS, draw_scene
from common.errors import ContractError, ModelError, PhotoError, Reason
from contract.answers import Answers
from contract.familiarity import VALUES
from contract.formats import SNIFF_BYTES, sniff
from contract.geometry import Geometry, Pixels, to_input
from contract.metadata import Contract, GoldenCase

Answer = Callable[[Pixels], Answers]
"""uint8 [n, size, size, 3] -> answers for n photos."""
_Floats = NDArray[np.float32]

MINIMUM_MARGIN = 0.05
"""Least distance between the two best probabilities of a clear prediction."""
GRID_TOLERANCE = 4
"""Largest difference of a mean colour, of 255, between versions of a JPEG decoder."""
GOLDEN_PIXELS = 4_000_000
"""Largest golden file in memory, because any model file may hold one."""
_FORMATS = ("JPEG", "PNG")
_DRAFT_PX = 512
"""Largest input for which a large JPEG is added. It must have four times these sides."""
_SHARPEST = (0.3, 0.9)
_TRIED, _KEPT = 48, 3


def pattern(seed: int, size_px: int) -> Pixels:
    """Compute a picture with integers only, so that no version of a library can change it.

    Returns:
        uint8 [size_px, size_px, 3]: overlaid waves and blocks, different for each seed.
    """
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.int64) * 256 // size_px
    planes = []
    for channel in range(3):
        key = (seed * 3 + channel) * 2_654_435_761 % 2**32
        a, b, c, d = (key >> shift & 255 for shift in (0, 8, 16, 24))
        wave = np.abs((x * (a % 7) + y * (b % 7) + c) % 512 - 256)
        blocks = (((x >> (4 + a % 3)) ^ (y >> (4 + b % 3))) & 3) * 48
        tone = (y if d & 1 else x) * (d % 5) // 4
        planes.append((wave * (1 + c % 3) + blocks + tone + d) // (2 + c % 3) % 256)
    return np.stack(planes, axis=-1).astype(np.uint8)


def make_golden(answer: Answer, geometry: Geometry) -> tuple[GoldenCase, ...]:
    """Choose patterns and image files with a clear prediction, of different classes where possible, and a large JPEG.

    Args:
        answer: the finished model, on the processor where it was verified.
        geometry: geometry of the model.

    Raises:
        ContractError: no picture gets a clear prediction, for example because the model is untrained.
    """
    patterns = [("pattern", seed, b"") for seed in range(_TRIED)]
    files = [("encoded", seed, data) for seed, data in enumerate(_encoded_drawings())]
    large = [("encoded", len(files) + number, data) for number, data in enumerate(_large_drawings(geometry.size_px))]
    clear = (*_clearest(answer, geometry, patterns), *_clearest(answer, geometry, files))
    return (*clear, *_answered(answer, geometry, large)[:1])


def _clearest(answer: Answer, geometry: Geometry, sources: list[tuple[str, int, bytes]]) -> list[GoldenCase]:
    cases = _answered(answer, geometry, sources)
    if not _margin(cases[0]) >= MINIMUM_MARGIN:  # written this way, NaN is not clear either
        raise ContractError(
            f"The model has no clear prediction for any of {len(cases)} generated pictures (best margin "
            f"{_margin(cases[0]):.3f}), so a golden sample cannot be made. Train it longer."
        )
    best_of_class: dict[int, GoldenCase] = {}
    for case in cases:
        best_of_class.setdefault(int(np.argmax(case.probabilities)), case)
    return [case for case in best_of_class.values() if _margin(case) >= MINIMUM_MARGIN][:_KEPT]


def _answered(answer: Answer, geometry: Geometry, sources: list[tuple[str, int, bytes]]) -> list[GoldenCase]:
    """The cases of all sources, the best first."""
    cases: list[GoldenCase] = []
    for source, seed, encoded in sources:
        pixels = decode_golden(encoded, geometry) if encoded else pattern(seed, geometry.size_px)
        cases.append(_case(answer(pixels[None]), pixels, (source, seed, encoded)))
    # A probability near 1 hardly changes if the arithmetic drifts, so clear predictions that can change come first.
    return sorted(
        cases,
        key=lambda case: (not _SHARPEST[0] <= _margin(case) <= _SHARPEST[1], -np.nan_to_num(_margin(case))),
    )


def _case(answers: Answers, pixels: Pixels, drawn: tuple[str, int, bytes]) -> GoldenCase:
    source, seed, encoded = drawn
    probabilities = tuple(map(float, answers.probabilities[0]))
    embedding = () if answers.embedding is None else tuple(round(float(value), 6) for value in answers.embedding[0])
    familiarity = None if answers.familiarity is None else float(answers.familiarity[0])
    return GoldenCase(source, seed, _grid(pixels), probabilities, encoded, embedding, familiarity)  # type: ignore[arg-type]


def decode_golden(encoded: bytes, geometry: Geometry) -> Pixels:
    """Decode a golden file, within limits that no file of a hostile model exceeds.

    Raises:
        PhotoError: it is too large, is neither JPEG nor PNG, or cannot be read.
    """
    if sniff(encoded[:SNIFF_BYTES]) not in _FORMATS:
        raise PhotoError(Reason.UNSUPPORTED, f"golden files are {' or '.join(_FORMATS)}")
    return to_input(encoded, geometry, GOLDEN_PIXELS)


def _margin(case: GoldenCase) -> float:
    second, best = sorted(case.probabilities)[-2:]
    return best - second


def _encoded_drawings() -> Iterator[bytes]:
    """Yield small files that test the geometry: JPEGs, and PNGs with palette and alpha, all with an EXIF rotation."""
    for seed in range(4):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = (5, 6, 3, 8)[seed]  # never 1, so that every file reveals a lost rotation
        for number, kind in enumerate(sorted(KINDS)):
            image = draw_scene(kind, 2 * seed, (160, 96))
            yield _png(image, exif) if number % 3 == 2 else _jpeg(image, exif)


def _large_drawings(size_px: int) -> Iterator[bytes]:
    """Yield JPEGs so large that a decoder reduces them while it decodes, as it does with those of a camera."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for kind in sorted(KINDS) if size_px <= _DRAFT_PX else ():
        image = draw_scene(kind, 0, (160, 96)).resize((5 * size_px, 4 * size_px), Image.Resampling.BICUBIC)
        yield _jpeg(image, exif, quality=50, optimize=True)


def _jpeg(image: Image.Image, exif: Image.Exif, quality: int = 80, *, optimize: bool = False) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, exif=exif, optimize=optimize)
    return out.getvalue()


def _png(image: Image.Image, exif: Image.Exif) -> bytes:
    out = io.BytesIO()
    image.quantize(32).save(out, "PNG", transparency=0, optimize=True, exif=exif)
    return out.getvalue()


def _grid(pixels: Pixels) -> tuple[int, ...]:
    rows = np.array_split(pixels, 4, axis=0)
    fields = [part.mean(axis=(0, 1)) for row in rows for part in np.array_split(row, 4, axis=1)]
    return tuple(round(float(value)) for value in np.concatenate(fields))


def replay(answer: Answer, contract: Contract, provider: str) -> float:
    """Replay the golden sample and compare with the contract.

    Args:
        answer: the model, opened on `provider`.
        contract: holds the golden sample and the tolerances.
        provider: `cpu` or `cuda`; selects the tolerance.

    Returns:
        The largest difference of a probability over all cases.

    Raises:
        ModelError: an input, a probability, an embedding or a familiarity differs by more than its tolerance.
    """
    if not contract.golden:
        raise ContractError("The model carries no golden sample, so nothing shows that it computes what was verified.")
    worst = 0.0
    for case, (got, *more) in zip(contract.golden, _answers(answer, contract), strict=True):
        worst = max(worst, _check("a probability", got, case.probabilities, contract.tolerance, case, provider))
        if contract.familiarity is not None:
            tolerance = contract.familiarity.tolerance
            for name, values, wanted in zip(VALUES, more, (case.embedding, (case.familiarity,)), strict=True):
                _check(f"the {name}", values, wanted, tolerance[name], case, provider)
    return worst


def _check(
    what: str,
    got: _Floats,
    wanted: Sequence[float | None],
    limits: Mapping[str, float],
    case: GoldenCase,
    provider: str,
) -> float:
    """Return the largest difference, or raise ModelError if it is more than the limit."""
    difference = float(np.abs(got - np.asarray(wanted, np.float32)).max())
    limit = limits[provider] + (limits["decoder"] if case.encoded else 0.0)
    if not difference <= limit:  # written this way, NaN is refused too
        raise ModelError(
            f"The model does not compute what was verified: on golden {case.source} {case.seed} {what} "
            f"differs by {difference:.2g} (at most {limit:.2g} on {provider}). Convert it again, or use the CPU."
        )
    return difference


def _answers(answer: Answer, contract: Contract) -> Iterator[tuple[_Floats, ...]]:
    """Yield probabilities [classes], and with familiarity embedding [D] and familiarity [1], of each case.

    It runs in batches of two: one photo would not reveal a fixed batch size of one, and more would only need memory.
    """
    for start in range(0, len(contract.golden), 2):
        pair = [_replayed_input(case, contract) for case in contract.golden[start : start + 2]]
        answers = answer(np.stack(pair))
        _check_shape("output", answers.probabilities, (len(pair), len(contract.labels)))
        if answers.embedding is None or answers.familiarity is None or answers.nearest is None:
            yield from ((row,) for row in answers.probabilities)
            continue
        _check_shape("embedding", answers.embedding, (len(pair), len(contract.golden[start].embedding)))
        _check_shape("familiarity", answers.familiarity, (len(pair),))
        _check_shape("nearest class", answers.nearest, (len(pair),))
        _check_nearest(answers.nearest, len(contract.labels))
        yield from zip(answers.probabilities, answers.embedding, answers.familiarity[:, None], strict=True)


def _check_nearest(nearest: NDArray[np.int64], classes: int) -> None:
    """Which class is the nearest may be a close call, so it is not compared; but it must be one of the model's."""
    if len(odd := nearest[(nearest < 0) | (nearest >= classes)]):
        raise ModelError(f"The model names class {odd[0]} as the nearest, but it has {classes} classes. Convert again.")


def _check_shape(what: str, values: NDArray[Any], wanted: tuple[int, ...]) -> None:
    if values.shape != wanted:
        raise ModelError(f"The {what} of the model has the shape {values.shape} instead of {wanted}. Convert it again.")


def _replayed_input(case: GoldenCase, contract: Contract) -> Pixels:
    if not case.encoded:
        return pattern(case.seed, contract.geometry.size_px)
    try:
        pixels = decode_golden(case.encoded, contract.geometry)
    except PhotoError as error:
        raise ModelError(f"Golden file {case.seed} of the model is not a photo ({error}). Convert it again.") from error
    difference = int(np.abs(np.subtract(_grid(pixels), case.grid)).max())
    if difference > GRID_TOLERANCE:
        raise ModelError(
            f"Photos are not decoded as when the model was verified: golden file {case.seed} differs by {difference} "
            f"of 255. Reinstall phototriage with the versions of its lock files."
        )
    return pixels
