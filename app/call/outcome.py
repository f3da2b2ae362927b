"""How a call ended, and on whose account: the first question of everybody who reads a report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is for people and reports alike; `fault` is caller, agent, operator, carrier, vendor or platform."""

    reason: str
    fault: str


CALLER_HUNG_UP = Outcome("caller hung up", "caller")
NEVER_CONNECTED = Outcome("media stream never came", "carrier")
LINE_BROKE = Outcome("media stream broke", "carrier")
AGENT_SAID_GOODBYE = Outcome("agent said goodbye", "agent")
TRANSFERRED = Outcome("transferred", "agent")
SILENCE = Outcome("caller stayed silent", "caller")
TOO_LONG = Outcome("reached the longest duration", "platform")
NO_MIND = Outcome("mind failed", "vendor")
NO_VOICE = Outcome("voice failed", "vendor")


def by_closing(by: str) -> Outcome:
    """The line was closed by somebody else than the core."""
    return CALLER_HUNG_UP if by == "caller" else LINE_BROKE
