"""Connects senses to decisions: the only orchestration in the house. It decides nothing."""
