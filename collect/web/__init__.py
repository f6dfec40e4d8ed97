"""How a stranger's URL is fetched: which addresses it may lead to, and how many bytes and seconds it may take."""
