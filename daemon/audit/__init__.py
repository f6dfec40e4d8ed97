"""Audits: photos drawn at random from what a model filed, and what people say they show, asked blind."""
