"""Where candidates are found: services that know licences, lists, and commands of the user."""
