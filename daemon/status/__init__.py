"""How the daemon is: what it counts while it works, whether a part of it is stuck, and who is told."""
