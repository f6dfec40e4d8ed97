"""Heads: what they learn from, how they are fitted, and what the gate says of them."""
