"""How written forms are read: one module for each kind. A rule looks at a window of words and takes some, or none."""
