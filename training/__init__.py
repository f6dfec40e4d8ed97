"""The training room: it turns folders of labelled photos into a run folder with a model and a report."""
