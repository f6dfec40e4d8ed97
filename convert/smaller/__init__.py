"""Smaller precisions: fp16 and int8, and what they cost."""
