"""Which photos stay on one side of a split although they are no copies: of one group of a file, or of one day."""
