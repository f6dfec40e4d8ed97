"""What spreads the parts of a plan over cores or machines."""
