"""Parts of the pages that reports and checks are made of: markup, charts and thumbnails."""
