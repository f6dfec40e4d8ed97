"""Real photos and real initial weights: the head alone already tells scenes apart."""

import shutil
from pathlib import Path

from training.pipeline import train_run
from training.progress import Reporter
from training.recipe.recipe import FineTune, Input, Recipe
from training.run import load_run


def test_a_head_on_imagenet_features_tells_scenes_apart(tmp_path: Path, shared: Path, reporter: Reporter) -> None:
    for split, count in (("train", 16), ("test", 10)):
        for label in ("forest", "sea", "street"):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for photo in sorted((shared / "scenes" / split / label).iterdir())[:count]:
                shutil.copy(photo, folder)
    recipe = Recipe(input=Input(size_px=96), fine_tune=FineTune(epochs=0))
    trained = train_run(tmp_path / "photos", tmp_path / "run", recipe, None, reporter)
    assert trained.test is not None
    assert trained.test.photos == 30
    assert trained.test.accuracy >= 0.8
    weights = load_run(tmp_path / "run").manifest["weights"]
    assert weights["sha256"].startswith("71e4c4ec4aa24c9c")
