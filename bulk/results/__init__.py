"""What the results of a run are: one Parquet part for each part of the plan, and what made them."""
