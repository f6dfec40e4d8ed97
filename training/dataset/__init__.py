"""The dataset: find labelled photos, split them, and cache them decoded."""
