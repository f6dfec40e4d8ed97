"""What the pages of reports and checks draw: charts."""
