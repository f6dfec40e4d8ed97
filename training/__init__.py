"""Training room: folders of labelled photos in, a run folder that explains itself out."""
