"""Photos without labels, to which a teacher gives answers: which of them may join, without copies of the dataset's."""
