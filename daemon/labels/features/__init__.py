"""What finds labelled photos and their near-duplicates again: features, groups, and the words in force."""
