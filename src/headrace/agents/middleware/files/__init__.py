"""Searching files below a root, by name and by content."""
