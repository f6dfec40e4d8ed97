"""`phototriage labels`: what people said about photos, and commands that say more or take it back."""
