"""Which photos stay on one side of a split although they are no copies: of a named group, a day's folder, a burst."""
