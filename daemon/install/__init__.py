"""Install a service: what `phototriage service` shows, writes for systemd, and removes again."""
