"""Applications around calls: the local page to talk to a bot."""
