"""A small dataset, a grid over seeds, a stand-in for the training of its cells, and one grid trained by it."""

import io
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.conftest import make_dataset
from training.grid.work import run_grid
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe
from training.recipe.recipe_file import Grid

GRID = Grid(Recipe(weights="none", input=Input(size_px=32)), {"seed": (1, 2, 3)})


@pytest.fixture(scope="session", name="program")
def make_program() -> tuple[str, ...]:
    """The command that trains a cell, without a network."""
    here = Path(__file__)
    path = f"import sys; sys.path.insert(0, {str(here.parents[3])!r})"
    return (sys.executable, "-c", f"{path}; from tests.training.grid import fake_train; fake_train.main()")


@pytest.fixture(scope="session", name="dataset")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty photos of three classes."""
    return make_dataset(tmp_path_factory.mktemp("dataset") / "photos")


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty test photos."""
    return make_dataset(tmp_path_factory.mktemp("apart"), count=20, seed=9)


@pytest.fixture
def grid() -> Grid:
    """Three cells, of which the last one comes out best on validation photos."""
    return GRID


@pytest.fixture(scope="session")
def trained_grid(
    dataset: Path, apart: Path, program: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of `grid` once it was trained, with test photos, and what was told."""
    root, story = tmp_path_factory.mktemp("grid"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:  # made before any test's own home is
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        run_grid(dataset, root / "grid", GRID, apart, Reporter(Console(file=story, width=200)), program=program)
    return root / "grid", story.getvalue()


@pytest.fixture
def done(trained_grid: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it, to do with what one likes."""
    return Path(shutil.copytree(trained_grid[0], tmp_path / "grid"))
