"""Records of a call: its timeline, and the picture made of it."""
