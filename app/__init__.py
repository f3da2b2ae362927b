"""Patchcord: a call-centre voice agent. Read `app/README.md` for the floor plan."""
