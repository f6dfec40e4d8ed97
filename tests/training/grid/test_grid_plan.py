"""The cells of a grid, and their names: readable, unique, and safe as folders."""

import pytest

from training.errors import RecipeError
from training.grid.names import LONGEST, cell_names
from training.grid.plan import plan_cells
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import Grid

BLOCKS = {
    "backbone": ("MobileNetV2", "Xception"),
    "fine_tune.unfreeze": ("1 blocks", "3 blocks"),
    "network.hidden": ([512], [512, 512]),
}


def names(**axes: tuple[object, ...]) -> list[str]:
    """Names over axes whose keys are written with two underscores for the point."""
    return [cell.name for cell in plan_cells(Grid(Recipe(), {key.replace("__", "."): axes[key] for key in axes}))]


def test_cells_are_the_product_of_the_values_with_names_that_say_what_differs() -> None:
    cells = plan_cells(Grid(Recipe(weights="none"), BLOCKS))
    assert [cell.name for cell in cells][:5] == [
        "mobilenetv2-1-blocks-fc-1",
        "mobilenetv2-1-blocks-fc-2",
        "mobilenetv2-3-blocks-fc-1",
        "mobilenetv2-3-blocks-fc-2",
        "xception-1-blocks-fc-1",
    ]
    last = cells[-1].recipe
    assert (last.backbone, last.fine_tune.unfreeze, last.network.hidden) == ("Xception", "3 blocks", (512, 512))
    assert last.weights == "none"


def test_values_that_do_not_speak_for_themselves_are_named() -> None:
    assert names(seed=(0, 1)) == ["seed-0", "seed-1"]
    assert names(fine_tune__learning_rate=(1e-3, 1e-5)) == ["learning-rate-0.001", "learning-rate-1e-05"]
    assert names(augmentation__flip=(True, False)) == ["flip", "no-flip"]
    assert names(fine_tune__unfreeze=("all", 60, 0)) == ["all-layers", "60-layers", "0-layers"]
    assert names(network__hidden=([], [64], [512])) == ["fc-0", "fc-64", "fc-512"]
    assert names(head__epochs=(1,), fine_tune__epochs=(2, 3)) == [
        "head-epochs-1-fine-tune-epochs-2",
        "head-epochs-1-fine-tune-epochs-3",
    ]


@pytest.mark.parametrize(
    "values",
    [("a/b", "a b"), ("../..", "."), ("\N{LATIN SMALL LETTER E WITH ACUTE}", ""), ("x" * 300, "x" * 301), ("<b>", "b")],
)
def test_whatever_the_values_are_names_are_unique_folders(values: tuple[str, str]) -> None:
    made = cell_names({"backbone": values}, [{"backbone": value} for value in values])
    assert len(set(made)) == 2
    for name in made:
        assert 0 < len(name) <= LONGEST
        assert not name.startswith(".")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def test_no_cell_is_named_like_a_part_of_the_grid_folder() -> None:
    assert cell_names({"backbone": ("recipes",)}, [{"backbone": "recipes"}]) == ["1-recipes"]


def test_a_grid_whose_settings_were_all_given_as_options_is_one_run() -> None:
    (cell,) = plan_cells(Grid(Recipe(), {"seed": (1, 2)}).with_options({"seed": 7}))
    assert (cell.name, cell.recipe.seed) == ("run", 7)


def test_a_value_listed_twice_and_a_grid_beyond_reason_are_refused() -> None:
    with pytest.raises(RecipeError, match="lists 1 twice for seed"):
        names(seed=(0, 1, 1))
    with pytest.raises(RecipeError, match=r"10,000 cells, but at most 1,000"):
        names(seed=tuple(range(100)), fine_tune__epochs=tuple(range(100)))
