"""Groups and sides of labelled photos, their features, and the words that come of them."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.fingerprint import Fingerprint, fingerprint_of
from contract.labels import Side, side_of
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.decode.isolated import StoppedError
from daemon.labels.contents import LEAST_COSINE_TURNED, OutputContents, cosine
from daemon.labels.features.groups import Group, Groups
from daemon.labels.features.make import Features, make_features, try_again
from daemon.labels.features.photo import PhotoFeatures
from daemon.labels.features.words import WordsInForce
from daemon.ledger.labels.events import Event, How, record
from daemon.photo import Embedding
from daemon.process.clock import Clock
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.filed_output import FiledOutput
from tests.daemon.support import encoded, opened_guard, plain, write

ID = "e" * 16


def _picture(seed: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.kron(coarse, np.ones((28, 28, 1), np.uint8))


def _mark(seed: int) -> Fingerprint:
    return fingerprint_of(_picture(seed))


def _embedding(seed: int) -> Embedding:
    values = np.random.default_rng(seed).normal(size=128)
    return Embedding(ID, (values / np.linalg.norm(values)).astype("<f2").tobytes())


def _named(side: Side, number: int = 0) -> str:
    """Return a hash that founds a group of this side."""
    return next(sha256 for n in range(number, 1000) if side_of(sha256 := f"{n:08x}".ljust(64, "0")) is side)


def test_one_group_of_five_is_held_out_and_the_hash_of_its_founder_says_which() -> None:
    sides = [side_of(f"{number:08x}".ljust(64, "0")) for number in range(1000)]
    assert sides.count(Side.HELD_OUT) == 200
    assert sides == [side_of(f"{number:08x}".ljust(64, "0")) for number in range(1000)]


def test_a_photo_that_is_nearly_the_same_joins_the_group_and_its_side() -> None:
    groups, founder = Groups(), _named(Side.HELD_OUT)
    assert groups.join(founder, _mark(1), _embedding(1)) == Group(founder, Side.HELD_OUT)
    other = _named(Side.LEARN)
    assert groups.join(other, _mark(1), _embedding(1)) == Group(founder, Side.HELD_OUT)
    assert groups.join(other, _mark(2), _embedding(2)) == Group(other, Side.LEARN)


def test_equal_pixels_with_another_embedding_found_a_group_of_their_own() -> None:
    groups, one, other = Groups(), _named(Side.HELD_OUT), _named(Side.LEARN)
    groups.join(one, _mark(1), _embedding(1))
    assert groups.join(other, _mark(1), _embedding(2)) == Group(other, Side.LEARN)


def test_a_photo_between_both_sides_is_on_neither_and_draws_nobody_after_it() -> None:
    groups, held, learn = Groups(), _named(Side.HELD_OUT), _named(Side.LEARN)
    near, far = _embedding(1), _embedding(2)
    middle = np.frombuffer(near.values, "<f2").astype(np.float32) + np.frombuffer(far.values, "<f2")
    between = Embedding(ID, (middle / np.linalg.norm(middle)).astype("<f2").tobytes())
    groups.join(held, _mark(1), near)
    groups.join(learn, _mark(1), far)
    cosines = [float(np.frombuffer(one.values, "<f2") @ np.frombuffer(between.values, "<f2")) for one in (near, far)]
    if min(cosines) < 0.95:  # two directions are never both that near: the rule is tried with a wider one
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("daemon.labels.features.groups.LEAST_COSINE", min(cosines) - 0.01)
            assert groups.join("a" * 64, _mark(1), between).side is Side.NEITHER
    assert groups.join(_named(Side.LEARN, 5), _mark(1), between).side is not Side.NEITHER


def test_plain_pictures_join_nothing() -> None:
    groups, flat = Groups(), fingerprint_of(np.full((224, 224, 3), 9, np.uint8))
    assert groups.join("0" * 64, flat, _embedding(1)).founder == "0" * 64
    assert groups.join("1" * 64, flat, _embedding(1)).founder == "1" * 64


def test_features_are_made_of_labelled_photos_where_they_lie_now_and_words_come_of_them(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/b.jpg")
    filed.look()
    filed.look()
    read: list[Path] = []
    taken = datetime(2024, 5, 1, 12, 30)  # noqa: DTZ001 - local to the camera

    def features(path: Path) -> Features:
        read.append(path)
        return Features(filed.sha256(row), _mark(1), _embedding(1), taken)

    connection = filed.connection()
    words = WordsInForce(connection)
    before = words.changed([])
    assert before is not None
    assert len(before) == 1
    assert before.of_like(_picture(1), _embedding(1), taken, "b.jpg") is None
    assert make_features(connection, filed.output, ID, features, lambda: False) == 1
    assert read == [filed.output / "street/b.jpg"]
    after = words.changed()
    assert after is not None
    found = after.of_like(_picture(1), _embedding(1), taken, "other.jpg")
    assert found is not None
    assert found.label == "street"
    assert words.changed() is None
    assert make_features(connection, filed.output, ID, features, lambda: False) == 0
    connection.close()


def test_a_photo_that_cannot_be_read_is_tried_once_a_start(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    connection = filed.connection()
    record(connection, 1.0, Event(How.ADD, None, "f" * 64, "/nowhere/x.jpg", "", 0.0, "", "sea"))
    tries: list[Path] = []

    def unreadable(path: Path) -> None:
        tries.append(path)

    for _ in range(2):
        assert make_features(connection, filed.output, ID, unreadable, lambda: False) == 0
    assert tries == [Path("/nowhere/x.jpg")]
    try_again(connection)
    make_features(connection, filed.output, ID, unreadable, lambda: False)
    assert len(tries) == 2
    connection.close()


def test_under_another_embedding_id_the_side_stays(filed: FiledOutput) -> None:
    connection = filed.connection()
    sha256 = _named(Side.LEARN)
    record(connection, 1.0, Event(How.ADD, None, sha256, "/x.jpg", "", 0.0, "", "sea"))
    connection.execute("UPDATE labelled SET founder = ?, side = 'held out', embedding_id = 'old'", ("b" * 64,))
    make_features(
        connection, filed.output, ID, lambda _: Features(sha256, _mark(1), _embedding(1), None), lambda: False
    )
    assert connection.execute("SELECT founder, side, embedding_id FROM labelled").fetchall() == [
        ("b" * 64, "held out", ID)
    ]
    connection.close()


def _street() -> Image.Image:
    """Houses below the sky: turned by a quarter, the shipped model takes them for something else."""
    pixels = np.full((160, 160, 3), 200, np.uint8)
    for house in range(6):
        left = 5 + 26 * house
        pixels[40 + 6 * house % 20 : 140, left : left + 20] = (150 - 15 * house, 60 + 10 * house, 50)
        for window in (60, 90):
            pixels[window : window + 10, left + 3 : left + 9] = (250, 250, 180)
    pixels[140:], pixels[:40] = (60, 60, 60), (120, 170, 230)
    return Image.fromarray(pixels)


def test_a_photo_whose_reading_a_stop_cut_short_is_not_one_without_features(tmp_path: Path) -> None:
    model = open_model(colour_model(familiarity=FAMILIAR), "cpu")
    loaded = LoadedModel(model, rules_of(model, "off"))
    photo = write(tmp_path / "a.jpg", plain("red"))
    with opened_guard(tmp_path / "notes") as guard:
        features = PhotoFeatures(lambda: loaded, guard, Clock())
        assert features.of(photo) is not None
        guard.stop()
        for read in (features.of, features.turned):
            with pytest.raises(StoppedError):
                read(photo)


def test_a_photo_that_was_turned_or_cropped_in_its_place_is_not_another(tmp_path: Path) -> None:
    street = _street()
    pictures = {
        "filed": street,
        "turned": street.transpose(Image.Transpose.ROTATE_90),
        "cropped": street.crop((8, 8, 152, 152)),
        "another": Image.fromarray(_picture(1)),
    }
    for name, picture in pictures.items():
        write(tmp_path / f"{name}.jpg", encoded(picture))
    write(tmp_path / "no photo.jpg", b"x")
    model = open_model(SHIPPED_MODEL, "cpu")
    loaded = LoadedModel(model, rules_of(model, "off"))
    with opened_guard(tmp_path / "notes") as guard:
        features = PhotoFeatures(lambda: loaded, guard, Clock())
        filed = features.of(tmp_path / "filed.jpg")
        assert filed is not None

        def is_another(name: str, was: Embedding | None = filed.embedding) -> bool | None:
            contents = OutputContents(
                tmp_path, lambda _: was, turned_at=lambda place: features.turned(tmp_path / place)
            )
            return contents.is_another(("ledger", 1), name)

        said = {name: is_another(f"{name}.jpg") for name in (*pictures, "no photo")}
        assert said == {"filed": False, "turned": False, "cropped": False, "another": True, "no photo": None}
        assert is_another("another.jpg", None) is False
        (upright, *_) = features.turned(tmp_path / "turned.jpg")
        assert cosine(filed.embedding, upright) < LEAST_COSINE_TURNED
    assert OutputContents(tmp_path).is_another(("ledger", 1), "filed.jpg") is None
