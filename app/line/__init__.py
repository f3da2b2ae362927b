"""The telephone: what Twilio says, and how it is told what to do."""
