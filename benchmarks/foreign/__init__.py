"""Pictures of no class: what a model files of them, and what it costs its own photos."""
