"""Lists the output: which folders and files lie there, as one look saw them."""
