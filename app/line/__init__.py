"""The telephone, by Twilio: what its messages say, what it is told, and whether it is really Twilio that knocks."""
