"""The other party: a simulated caller and the vendors' wires, over real sockets. Imports nothing of the app."""
