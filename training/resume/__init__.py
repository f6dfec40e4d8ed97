"""Resume a killed training: checkpoints, and checks that a run folder belongs to the same training."""
