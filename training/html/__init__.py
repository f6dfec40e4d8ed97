"""What the pages of reports and checks are built from: charts and thumbnails."""
