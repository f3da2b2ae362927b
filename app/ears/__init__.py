"""Hearing: what the caller's sound means, as a local detector and as a vendor's words."""
