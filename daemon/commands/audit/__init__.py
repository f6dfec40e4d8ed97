"""`phototriage audit`: how often people agree with what the model filed."""
