"""Thinking: what to say next, asked of a language model."""
