"""Initial weights are taken from where Keras keeps them, fetched when absent, or their absence is explained."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.errors import WeightsError
from training.network import weights
from training.network.weights import features_origin, find_weights, sha256_of, weights_path
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import Recipe

NAME = "MobileNetV2"
FILE = BACKBONES[NAME].file


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def served(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let all weights be fetched from there."""
    near = {name: replace(known, url=f"{address}/{known.file}") for name, known in BACKBONES.items()}
    monkeypatch.setattr(weights, "BACKBONES", near)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A real server in place of the distant one; what it answers with is the first number of the list."""
    status = [200]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"weights")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        served(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        yield status
        server.shutdown()
        thread.join()


def test_weights_that_are_there_are_taken(keras_home: Path) -> None:
    file = keras_home / "models" / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"abc")
    assert find_weights(NAME) == file == weights_path(NAME)
    assert sha256_of(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_without_the_variable_they_are_looked_for_where_keras_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME")
    assert weights_path(NAME) == Path.home() / ".keras" / "models" / FILE


def test_absent_weights_are_fetched_whole_or_not_at_all(keras_home: Path, server: list[int]) -> None:
    server[0] = 404
    with pytest.raises(WeightsError, match="404"):
        find_weights(NAME)
    assert not list((keras_home / "models").iterdir())
    server[0] = 200
    said: list[str] = []
    assert find_weights(NAME, said.append).read_bytes() == b"weights"
    assert find_weights(NAME, said.append).read_bytes() == b"weights"
    (line,) = said  # the second time they are there
    assert f"Fetching the ImageNet weights of {NAME} from http" in line


def test_without_a_network_the_sentence_says_where_to_put_them(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch, "http://127.0.0.1:9")  # port 9 is closed
    with pytest.raises(WeightsError) as error:
        find_weights("Xception")
    sentence = str(error.value)
    assert "weights of Xception" in sentence
    assert str(keras_home / "models" / BACKBONES["Xception"].file) in sentence
    assert "KERAS_HOME" in sentence
    assert "--weights none" in sentence


def test_a_file_whose_hash_keras_names_is_held_against_it(keras_home: Path, server: list[int]) -> None:
    assert server == [200]
    with pytest.raises(WeightsError, match=r"vgg16_\w+\.h5 is damaged, .* MD5 is 63f4f1e9b725370f.*6d6bbae143d83200"):
        find_weights("VGG16")


def test_features_of_other_weights_geometry_or_scaling_are_others() -> None:
    recipes: list[dict[str, Any]] = [
        {},
        {"input.scaling": "unit"},
        {"input.size_px": 64},
        {"input.geometry": "letterbox"},
    ]
    origins = [features_origin(Recipe().with_options(options), "hash") for options in recipes]
    assert len({*origins, features_origin(Recipe(), "other")}) == 5
