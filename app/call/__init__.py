"""The conversation, decided: what to do when something is heard, thought, voiced or played.

No waiting, no clock, no chance, no vendor. Time is an argument; failures arrive as events.
"""
