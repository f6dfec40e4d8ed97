"""A photo that a person labelled is known again, by its bytes or nearly equal pixels, and their word wins."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.words.copies import found
from benchmarks.words.photos import shown as photos_of
from benchmarks.words.pulls import made, pulls
from contract.fingerprint import Fingerprint, difference_hash, fingerprint_of
from contract.geometry import Pixels
from contract.labels import OTHER
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from daemon.classify.known import heed
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.ledger.intent import Intent
from daemon.ledger.queries import RecordFilter, select
from daemon.ledger.reader import ask_ledger
from daemon.ledger.totals import totals
from daemon.photo import Embedding, Found, Judgement, Outcome, Read
from daemon.predict import predict, trial_guard
from daemon.review import ReviewReason
from daemon.words.word import Word
from daemon.words.words import EMPTY, Words
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.support import digest, encoded, identity, identity_of, opened_ledger, write

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=9))
UNSURE = Judgement(
    Outcome.REVIEW, "_review", "unsure: sea 0.50 is below 0.60", "sea", 0.5, 0.6, review_reason=ReviewReason.UNSURE,
    top={"sea": 0.5, "street": 0.3, "forest": 0.2},
)  # fmt: skip


def picture(seed: int, size_px: int = 96) -> Image.Image:
    """Patches of all colours: each seed gives another picture."""
    patches = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), np.uint8)
    return Image.fromarray(patches).resize((size_px, size_px), Image.Resampling.BICUBIC)


def pixels(seed: int = 1) -> Pixels:
    return np.asarray(picture(seed))


def embedding(angle: float = 0.0, of: str = "broad-1") -> Embedding:
    return Embedding(of, np.array([np.cos(angle), np.sin(angle)], "<f2").tobytes())


HERE = embedding()


def word(label: str = "street", seed: int = 1, **facts: Any) -> Word:
    known = Word(label, digest(b"labelled"), fingerprint_of(pixels(seed)), HERE, NOON, "IMG_1.jpg")
    return known._replace(**facts)


def heard(
    *words: Word,
    judgement: Judgement = UNSURE,
    shown: Pixels | None = None,
    sha256: str = digest(b"another"),
    name: str = "other.jpg",
    taken: datetime | None = NOON,
    of: Embedding | None = HERE,
) -> Judgement:
    """Judge a photo, which is nearly the same as `word()` unless something else is said."""
    read = Read(sha256=sha256, taken=taken, pixels=pixels() if shown is None else shown)
    return heed(replace(judgement, embedding=of), Found(Path("in") / name, identity()), read, Words(words))


def test_a_photo_of_known_bytes_is_filed_where_a_person_put_it_and_the_models_answer_stays() -> None:
    sure = replace(UNSURE, outcome=Outcome.FILED, folder="sea", reason="", probability=0.99, review_reason=None)
    for before in (sure, UNSURE):
        found = heard(word("gardens", fingerprint=None), judgement=before, sha256=digest(b"labelled"))
        assert (found.outcome, found.folder, found.said) == (Outcome.FILED, "gardens", "gardens")
        assert found.reason == "known: a person put this very photo under gardens"
        assert (found.label, found.probability, found.top) == ("sea", before.probability, before.top)
        assert found.review_reason is None


def test_a_photo_of_which_a_person_said_that_it_is_of_no_class_goes_to_review() -> None:
    found = heard(word(OTHER), sha256=digest(b"labelled"))
    assert (found.outcome, found.folder, found.said) == (Outcome.REVIEW, "_review", OTHER)
    assert found.review_reason is ReviewReason.UNFAMILIAR
    assert found.reason == "known: a person said that this very photo is of none of the classes"
    like = heard(word(OTHER))
    assert (like.folder, like.reason) == (
        "_review", "known: a person said that IMG_1.jpg, nearly the same photo, is of none of the classes",
    )  # fmt: skip


def test_of_two_words_about_the_same_bytes_the_later_one_counts_among_thousands() -> None:
    some = [Word(f"class {number % 7}", digest(b"%d" % number)) for number in range(3000)]
    words = Words([*some, Word("last", digest(b"1234"))])
    for number in (0, 1, 1233, 1235, 2999):
        known = words.of_content(digest(b"%d" % number))
        assert known is not None
        assert known.label == f"class {number % 7}"
    last, unknown = words.of_content(digest(b"1234")), words.of_content(digest(b"3000"))
    assert (last and last.label, unknown, len(words), len(EMPTY)) == ("last", None, 3001, 0)
    zeros = Words([Word("a", 62 * "a" + "00"), Word("b", 60 * "a" + "0000")])  # trailing zeros are part of a hash
    assert [str(zeros.of_content(sha256)) for sha256 in (62 * "a" + "00", 60 * "a" + "0000")] == [
        f"known: a person put this very photo under {label}" for label in "ab"
    ]
    assert zeros.of_content(64 * "a") is None


def test_nearly_the_same_photo_is_known_of_the_latest_labels_and_the_same_bytes_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemon.words.words.MOST_LIKE", 3)
    for count in range(1, 10):
        some = [word(sha256=digest(b"%d" % seed), seed=seed) for seed in range(count)]
        like = [seed for seed in range(count) if heard(*some, shown=pixels(seed)).said]
        assert like == [*range(count)][-3:], count
        assert all(Words(some).of_content(one.sha256) for one in some)


def brighter(by: int) -> Pixels:
    return np.clip(pixels().astype(np.int16) + by, 0, 255).astype(np.uint8)


BLACK = np.zeros((96, 96, 3), np.uint8)


def mark(shown: Pixels, flipped: int = 0, **facts: Any) -> Fingerprint:
    whole = fingerprint_of(shown)
    return whole._replace(bits=whole.bits ^ flipped, **facts)


def test_nearly_the_same_photo_goes_where_a_person_put_the_other_one() -> None:
    found = heard(word(fingerprint=mark(pixels(), 0b111)), shown=brighter(2), of=embedding(0.2))
    assert (found.outcome, found.folder, found.label, found.review_reason) == (Outcome.FILED, "street", "sea", None)
    assert found.reason == "known: nearly the same as street/IMG_1.jpg, which a person put there"


@pytest.mark.parametrize(
    ("why", "asked"),
    [
        ("another picture", lambda: heard(word(), shown=pixels(2))),
        ("another hash", lambda: heard(word(fingerprint=mark(pixels(), 0b1111)))),
        ("the labelled photo is a page", lambda: heard(word(fingerprint=mark(pixels(), is_page=True)))),
        ("it is plain itself", lambda: heard(word(fingerprint=mark(BLACK, contrast=9, is_page=False)), shown=BLACK)),
        ("other colours", lambda: heard(word(), shown=np.ascontiguousarray(brighter(0)[..., [0, 0, 0]]))),
        ("brighter", lambda: heard(word(), shown=brighter(25))),
        ("embeddings too far apart", lambda: heard(word(), of=embedding(0.4))),
        ("embeddings of another id", lambda: heard(word(), of=embedding(of="broad-2"))),
        ("embeddings of another length", lambda: heard(word(), of=Embedding("broad-1", embedding().values * 2))),
        ("an embedding beyond its numbers", lambda: heard(word(), of=Embedding("broad-1", b"\x00\x7c\x00\x7c"))),
        ("no embedding", lambda: heard(word(), of=None)),
        ("the labelled photo has no embedding", lambda: heard(word(embedding=None))),
        ("taken later, and of another name", lambda: heard(word(), taken=NOON + timedelta(hours=1, seconds=1))),
        ("taken at an unknown time", lambda: heard(word(), taken=None)),
        ("neither time is known", lambda: heard(word(taken=None), taken=None)),
        ("another photo that looks the same has another label",
         lambda: heard(word(), word("forest", sha256=digest(b"2"), taken=None))),
        ("the model is sure of another class", lambda: heard(word(), judgement=replace(UNSURE, probability=0.91))),
    ],
)  # fmt: skip
def test_a_photo_is_not_pulled(why: str, asked: Callable[[], Judgement]) -> None:
    found = asked()
    assert (found.folder, found.reason, found.said) == ("_review", UNSURE.reason, ""), why


def test_an_equal_name_or_a_time_within_an_hour_is_enough() -> None:
    late = NOON + timedelta(days=9)
    for facts in ({"taken": late, "name": "IMG_1.jpg"}, {"taken": None, "name": "IMG_1.jpg"},
                  {"taken": NOON + timedelta(hours=1)}, {"taken": NOON.replace(tzinfo=EAST)}):  # fmt: skip
        assert heard(word(), **facts).folder == "street"
    assert heard(word(), word(sha256=digest(b"2"), taken=late, name="b"), taken=late).reason.startswith(
        "known: nearly the same as street/b,"
    )


@pytest.mark.parametrize(
    ("label", "probability", "pulled"),
    [
        ("street", 0.7, True),
        ("street", 0.9, True),
        ("street", 0.91, False),
        ("forest", 0.7, False),
        ("sea", 0.7, False),
    ],
)
def test_a_photo_that_the_model_files_is_pulled_only_into_its_second_class_and_never_where_it_is_sure(
    label: str, probability: float, pulled: bool
) -> None:
    filed = replace(UNSURE, outcome=Outcome.FILED, folder="sea", reason="", review_reason=None, probability=probability)
    assert heard(word(label), judgement=filed).folder == (label if pulled else "sea")


def test_an_unfamiliar_photo_is_pulled_into_the_class_of_which_the_model_is_sure() -> None:
    unfamiliar = replace(UNSURE, probability=0.99, review_reason=ReviewReason.UNFAMILIAR)
    assert heard(word("sea"), judgement=unfamiliar).folder == "sea"


def plain_pictures() -> dict[str, Pixels]:
    """Pictures of which thousands share a hash."""
    down, across = np.mgrid[:96, :96] / 95
    noise = np.random.default_rng(0).normal(0, 4, (96, 96))
    page = np.full((96, 96), 250.0)
    page[10:80:8, 10:60] = 40
    grey = {
        "black": 0 * down, "a covered lens": 6 + noise, "fog": 150 + noise, "sky": 90 + 120 * down + noise,
        "a gradient": 20 + 200 * across + noise, "a vignette": 120 - 160 * ((across - 0.5) ** 2 + (down - 0.5) ** 2),
        "two halves": np.where(down < 0.5, 160, 70) + noise, "a receipt": page,
    }  # fmt: skip
    return {name: np.clip(one, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2) for name, one in grey.items()}


@pytest.mark.parametrize("name", plain_pictures())
def test_plain_pictures_and_pages_are_known_by_their_bytes_alone(name: str) -> None:
    shown = plain_pictures()[name]
    assert not fingerprint_of(shown).tells
    assert heard(word(fingerprint=fingerprint_of(shown)), shown=shown, name="IMG_1.jpg").folder == "_review"
    assert heard(word(fingerprint=fingerprint_of(shown)), shown=shown, sha256=digest(b"labelled")).folder == "street"


def test_a_ledger_counts_and_finds_a_photo_under_what_a_person_said_also_after_it_was_taken_back(
    tmp_path: Path,
) -> None:
    with opened_ledger(tmp_path / "ledger") as ledger:
        was = Intent(Outcome.FILED, Path("/in/a"), Path("/out/sea/a"), identity(), "00", "street")
        rows = ledger.intend([was, replace(was, known_as="sea"), replace(was, known_as="sea", label="sea")], 1.0)
        ledger.conclude(dict.fromkeys(rows, Outcome.FILED), 1.0)
        assert totals(ledger._connection, 0.0).classes == {"street": 1, "sea": 2}
        undo = replace(was, becomes=Outcome.UNDONE, undoes=rows[1])
        (taken_back,) = ledger.intend([undo], 2.0)
        ledger.conclude({taken_back: Outcome.UNDONE}, 2.0)
        assert totals(ledger._connection, 0.0).classes == {"street": 1, "sea": 1}
    found = ask_ledger(tmp_path / "ledger", lambda connection: [*select(connection, RecordFilter(label="sea"))])
    assert [(one.row, one.folder, one.intent.known_as) for one in found] == [(3, "sea", "sea"), (2, "sea", "sea")]


def test_a_fingerprint_is_stored_in_202_bytes() -> None:
    mark = fingerprint_of(pixels())
    assert mark.tells
    assert len(mark.to_bytes()) == 202
    assert Fingerprint.from_bytes(mark.to_bytes()) == mark
    with pytest.raises(ValueError, match="202 bytes"):
        Fingerprint.from_bytes(mark.to_bytes()[1:])


def test_no_pixels_are_looked_at_without_words_or_where_the_model_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Pixels] = []

    def looking(shown: Pixels) -> int:
        looked.append(shown)
        return difference_hash(shown)

    monkeypatch.setattr("daemon.words.words.difference_hash", looking)
    sure = replace(UNSURE, outcome=Outcome.FILED, folder="sea", reason="", probability=0.95, review_reason=None)
    heard()
    heard(word(fingerprint=None))
    heard(word(), judgement=sure)
    assert not looked
    heard(word())
    assert len(looked) == 1
    assert (Words([word()]).need_dates, Words([word(fingerprint=None)]).need_dates) == (True, False)


def test_a_trial_finds_nearly_the_same_photo_by_the_capture_time_in_its_file(tmp_path: Path) -> None:
    opened = open_model(colour_model(familiarity=FAMILIAR, gain=4.0), "cpu")
    loaded = LoadedModel(opened, rules_of(opened, 1.0))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:05:01 12:30:00"
    path = write(tmp_path / "a.jpg", encoded(picture(1), exif=exif, quality=70))
    other = write(tmp_path / "b.jpg", encoded(picture(2), exif=exif))
    shown = np.asarray(picture(1).resize((32, 32), Image.Resampling.BOX))
    answer = opened.answer(shown[np.newaxis])
    assert answer.embedding is not None
    mark = fingerprint_of(shown), Embedding(FAMILIAR.id, answer.embedding[0].astype("<f2").tobytes())
    folders = []
    for words in (EMPTY, Words([Word("trees", digest(b""), *mark, NOON, "IMG_1.jpg")])):
        with trial_guard(tmp_path / "no state") as guard:
            cases = predict([path, other], lambda at: Found(at, identity_of(at)), loaded, guard, count=2, words=words)
            folders.append([photo.judgement.folder for _, photo in cases if photo is not None])
    assert folders == [["_review", "_review"], ["trees", "_review"]]


def test_of_real_photos_copies_follow_and_receipts_rooms_clothes_and_made_frames_do_not(shared: Path) -> None:
    opened = open_model(SHIPPED_MODEL, "cpu")
    shares = found(shared / "clothing" / "train", 2, opened)
    assert (shares["JPEG, quality 60"], shares["half the size"]) == (1, 1)
    sets = {kind: photos_of([shared / "foreign" / kind], opened) for kind in ("receipts", "rooms")}
    sets |= {"clothes": photos_of([shared / "clothing" / "test"], opened, every=6), "made": list(made(160, 3))}
    seen = {kind: pulls(some, some, opened) for kind, some in sets.items()}
    assert {kind: one.pulled for kind, one in seen.items()} == {kind: [] for kind in sets}
    assert seen["receipts"].near > 0
    assert seen["made"].near > seen["made"].same
