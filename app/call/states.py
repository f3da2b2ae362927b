"""Two parties, two machines. The moves that are legal stand here as data, and nothing else moves them.

The caller and the agent each have a state. What couples them is in `call.py`; an interruption is the joint state
"the caller SPEAKING, the agent HOLDING".
"""

from enum import Enum


class CallerState(Enum):
    QUIET = "quiet"  # nothing of this turn has been heard, or the turn has been taken
    SPEAKING = "speaking"  # the local detector hears a voice
    PAUSED = "paused"  # the voice has stopped; the turn may go on


class AgentState(Enum):
    RINGING = "ringing"  # the webhook has been answered, the media stream is not here yet
    LISTENING = "listening"  # the caller has the floor, or nobody has
    THINKING = "thinking"  # a turn was taken, nothing of the answer has been sent
    SPEAKING = "speaking"  # sound is on its way to the caller
    HOLDING = "holding"  # the caller made a sound: everything waits until we know what it was
    GONE = "gone"  # the call is over


CALLER_MOVES: dict[CallerState, frozenset[CallerState]] = {
    CallerState.QUIET: frozenset({CallerState.SPEAKING, CallerState.PAUSED}),
    CallerState.SPEAKING: frozenset({CallerState.PAUSED, CallerState.QUIET}),
    CallerState.PAUSED: frozenset({CallerState.SPEAKING, CallerState.QUIET}),
}

AGENT_MOVES: dict[AgentState, frozenset[AgentState]] = {
    AgentState.RINGING: frozenset({AgentState.SPEAKING, AgentState.THINKING, AgentState.LISTENING, AgentState.GONE}),
    AgentState.LISTENING: frozenset({AgentState.THINKING, AgentState.SPEAKING, AgentState.GONE}),
    AgentState.THINKING: frozenset(
        {AgentState.SPEAKING, AgentState.HOLDING, AgentState.LISTENING, AgentState.GONE},
    ),
    AgentState.SPEAKING: frozenset(
        {AgentState.LISTENING, AgentState.HOLDING, AgentState.THINKING, AgentState.GONE},
    ),
    AgentState.HOLDING: frozenset(
        {AgentState.SPEAKING, AgentState.THINKING, AgentState.LISTENING, AgentState.GONE},
    ),
    AgentState.GONE: frozenset(),
}


def caller_move(old: CallerState, new: CallerState) -> CallerState:
    assert new is old or new in CALLER_MOVES[old], f"the caller cannot go from {old.value} to {new.value}"
    return new


def agent_move(old: AgentState, new: AgentState) -> AgentState:
    assert new is old or new in AGENT_MOVES[old], f"the agent cannot go from {old.value} to {new.value}"
    return new


def diagram() -> str:
    """Both machines as text; the floor plan prints it, so that it cannot differ from the code."""
    lines = []
    for title, moves in (("caller", CALLER_MOVES), ("agent", AGENT_MOVES)):
        lines.append(title)
        for state, following in moves.items():
            targets = ", ".join(sorted(target.value for target in following)) or "(the end)"
            lines.append(f"  {state.value:<10} -> {targets}")
    return "\n".join(lines)
