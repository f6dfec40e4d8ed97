"""Keras starts without the libraries that it would import for nobody, and they are there afterwards."""

import importlib
import sys

import pytest

from training.network.device import modules_hidden


def test_what_is_hidden_is_not_found_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with modules_hidden(("colorsys", "json")):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json").loads, "what is imported already stays"
    assert importlib.import_module("colorsys").rgb_to_hsv


def test_it_comes_back_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(ZeroDivisionError), modules_hidden(("colorsys",)):
        raise ZeroDivisionError
    assert importlib.import_module("colorsys").rgb_to_hsv
