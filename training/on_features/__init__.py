"""Train on the features of the broad network: a head by regression, and the last blocks where they make it better."""
