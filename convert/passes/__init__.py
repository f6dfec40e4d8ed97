"""Graph passes, each small and each a pure function: the outputs stay, the graph gets shorter."""
