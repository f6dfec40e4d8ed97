"""Photos in storage: how much of the machine `phototriage bulk` gets, and how soon."""
