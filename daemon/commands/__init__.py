"""The daemon's commands: options and words for the screen; the work is done in the other rooms."""
