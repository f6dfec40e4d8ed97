"""Candidates for a class from the web: found, fetched with care, and laid apart until a person accepts them."""
