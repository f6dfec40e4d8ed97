"""HTML building blocks of reports and checks: markup, charts and thumbnails."""
