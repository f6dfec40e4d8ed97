"""Which names are left alone: junk of other programs, and unfinished uploads."""
