"""The doors: telephones, browsers and webhooks knock here. Who may come in is decided at the door, nothing else."""
