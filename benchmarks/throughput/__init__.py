"""A backlog through the daemon, through what a user would otherwise run, and through nothing but the work itself."""
