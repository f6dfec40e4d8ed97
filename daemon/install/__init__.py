"""From a command to a service: what `phototriage service` writes for systemd, shows first, and takes back."""
