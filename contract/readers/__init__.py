"""Read pictures whose file is damaged beside the picture itself, or written in a form that Pillow does not take."""
