"""Graph passes: small pure functions that shorten the graph and keep its outputs."""
