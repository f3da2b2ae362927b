"""What outlives a call: SQL for what is kept, Redis for what lives as long as a call. One file a noun."""
