"""Settings of turn-taking, tried on one's own recordings: how often callers are cut off, and how long they wait."""
