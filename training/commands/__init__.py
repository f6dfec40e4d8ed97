"""The commands of training: options and terminal output. The other folders do the work."""
