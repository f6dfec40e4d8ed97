"""Common ground of all rooms: errors, text, tables, strict JSON, HTML, atomic writes, drawn pictures.

Nothing here knows a model, a photo's way or training. It imports no other room.
"""
