"""What lets a killed training go on: checkpoints, and whether a run folder belongs to the same training."""
