"""Speaking: text into sound, by the fastest way that works at the moment."""
