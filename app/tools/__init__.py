"""Doing: what the mind may do besides talk."""
