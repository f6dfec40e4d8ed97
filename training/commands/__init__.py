"""The commands of training: options and words for the screen; the work is done in the other rooms."""
