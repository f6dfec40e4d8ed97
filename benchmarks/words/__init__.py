"""People's word about photos that come again: which photos it pulls, and what it costs."""
