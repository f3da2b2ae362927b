"""One call, decided. Two parties share one line; this is where the state of the one moves the other.

`receive` takes what happened and gives what is to be done; `tick` does the same when a deadline has come. The clock is
an argument and is never read. A call that is not over always has a deadline.
"""

import math
from collections.abc import Callable
from typing import Any

from app.call import outcome as outcomes
from app.call.actions import Action, HangUp, Message, Transfer
from app.call.agent import Agent
from app.call.answering import AgentSide
from app.call.dialogue import Dialogue
from app.call.events import (
    Connected,
    Digit,
    EarsBack,
    EarsLost,
    EndLikely,
    Event,
    HangUpAsked,
    LimitReached,
    LineClosed,
    LineOpened,
    Metered,
    Played,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ThoughtEnded,
    ThoughtFailed,
    ToolsAnswered,
    ToolsWanted,
    TransferAsked,
    Troubled,
    Voiced,
    VoiceEnded,
    VoiceFailed,
    WordsHeard,
)
from app.call.floor import Floor
from app.call.outcome import Outcome
from app.call.stage import Stage
from app.call.states import AgentState, agent_move
from app.call.timers import Timer

_NOT_YET = 0.5  # look again so much later when the moment is wrong
# Before the line is open nobody can have said anything, whatever ears may tell.
_OF_THE_CALLER = Digit | SpeechStarted | SpeechPaused | WordsHeard | EndLikely | SpeechResumed | SpeechEnded


class Call:
    def __init__(self, agent: Agent, now: float, memory: tuple[Message, ...] = ()) -> None:
        self._agent = agent
        self._stage = Stage(now)
        self._timers = self._stage.timers
        self._dialogue = Dialogue(memory)
        self._resumed = bool(memory)
        self._answering = AgentSide(agent, self._stage, self._dialogue)
        self._floor = Floor(agent, self._stage, self._dialogue, self._answering, self._restart_quiet)
        self._state = AgentState.RINGING
        self._quiet_since = now
        self._prompts = 0
        self.outcome: Outcome | None = None
        self._timers.set(Timer.ANSWER, now + agent.patience.answer)
        self._timers.set(Timer.DURATION, now + agent.patience.longest_call)
        self._events: dict[type, Callable[[Any], None]] = {
            LineOpened: self._line_opened,
            LineClosed: self._line_closed,
            Played: lambda event: self._answering.speaking.played(event.mark),
            Digit: self._floor.digit,
            SpeechStarted: self._floor.speech_started,
            SpeechPaused: self._floor.speech_paused,
            WordsHeard: self._floor.words_heard,
            EndLikely: self._floor.end_likely,
            SpeechResumed: self._floor.speech_resumed,
            SpeechEnded: self._floor.speech_ended,
            EarsLost: lambda _: self._floor.ears(away=True),
            EarsBack: lambda _: self._floor.ears(away=False),
            ThoughtBegan: lambda event: self._answering.thought_began(event.question),
            Thought: lambda event: self._answering.thought(event.question, event.text),
            ToolsWanted: lambda event: self._answering.tools_wanted(event.question, event.calls),
            ThoughtEnded: lambda event: self._answering.thought_ended(event.question, event.reason),
            ThoughtFailed: lambda event: self._answering.thought_failed(event.question, event.why, event.again),
            ToolsAnswered: lambda event: self._answering.tools_answered(event.question, event.answers),
            Voiced: self._answering.voiced,
            VoiceEnded: lambda event: self._answering.speaking.voice_ended(event.question),
            VoiceFailed: lambda event: self._answering.voice_failed(event.question),
            HangUpAsked: lambda event: self._end(Outcome(f"ended by {event.by}", "operator"), hang_up=True),
            TransferAsked: self._transfer_asked,
            LimitReached: self._limit_reached,
            Metered: lambda _: None,
            Connected: lambda _: None,
            Troubled: lambda _: None,
        }
        self._alarms: dict[Timer, Callable[[], None]] = {
            Timer.ANSWER: lambda: self._end(outcomes.NEVER_CONNECTED, hang_up=True),
            Timer.DURATION: self._too_long,
            Timer.TURN: self._floor.turn_over,
            Timer.AHEAD: self._floor.work_ahead,
            Timer.HOLD: self._floor.unconfirmed,
            Timer.KEYS: self._floor.keys_over,
            Timer.COVER: self._answering.cover,
            Timer.FIRST_TOKEN: self._answering.first_token_overdue,
            Timer.FIRST_VOICE: self._answering.first_voice_overdue,
            Timer.PLAYED: self._answering.speaking.marks_overdue,
            Timer.TOOLS: self._answering.tools_overdue,
            Timer.QUIET: self._quiet,
        }

    # --- the contract ------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return self._state is AgentState.GONE

    @property
    def state(self) -> AgentState:
        return self._state

    @property
    def memory(self) -> tuple[Message, ...]:
        return self._dialogue.messages(self._answering.speaking.heard)

    def deadline(self) -> float:
        return math.inf if self.over else self._timers.deadline()

    def receive(self, event: Event, now: float) -> list[Action]:
        """What is to be done about this event."""
        if self.over or (self._state is AgentState.RINGING and isinstance(event, _OF_THE_CALLER)):
            return []
        self._stage.now = now
        self._events[type(event)](event)
        self._settle()
        return self._stage.taken()

    def tick(self, now: float) -> list[Action]:
        """What is to be done because time has passed."""
        if self.over:
            return []
        self._stage.now = now
        for timer in self._timers.due(now):
            self._alarms[timer]()
            self._settle()
            if self.over:
                break
        return self._stage.taken()

    # --- the line ----------------------------------------------------------------------------------------------------

    def _line_opened(self, _: LineOpened) -> None:
        if self._state is not AgentState.RINGING:
            return
        self._timers.stop(Timer.ANSWER)
        self._state = agent_move(self._state, AgentState.LISTENING)
        agent = self._agent
        if self._resumed:
            self._answering.say(agent.phrases.resumed)
        else:
            self._answering.say(agent.greeting, disclosure=agent.disclosure)
        self._restart_quiet()

    def _line_closed(self, event: LineClosed) -> None:
        self._end(outcomes.by_closing(event.by), hang_up=False)

    def _end(self, outcome: Outcome, *, hang_up: bool) -> None:
        """The call is over: stop everybody, and keep what was heard."""
        self._answering.drop("the call ended")
        self._timers.stop_all()
        self.outcome = self.outcome or outcome
        if hang_up:
            self._stage.do(HangUp(self.outcome.reason, self.outcome.fault))
        self._state = agent_move(self._state, AgentState.GONE)

    def _too_long(self) -> None:
        self._timers.set(Timer.DURATION, self._stage.now + self._agent.patience.answer)  # the end if even this fails
        if self.outcome is not None or self._state is AgentState.RINGING:
            self._end(outcomes.TOO_LONG, hang_up=True)
            return
        self._leave(outcomes.TOO_LONG, self._agent.phrases.time_is_up)

    def _limit_reached(self, event: LimitReached) -> None:
        self._leave(Outcome(f"reached the limit of {event.what}", "platform"), self._agent.phrases.time_is_up)

    def _leave(self, outcome: Outcome, words: str) -> None:
        """Say the last words and hang up when they have been heard."""
        if self._state is AgentState.RINGING or self.outcome is not None:
            self._end(outcome, hang_up=True)
            return
        self.outcome = outcome
        self._floor.held = False
        self._answering.say(words, farewell=HangUp(outcome.reason, outcome.fault))
        # A vendor that never voices the goodbye must not keep the line open.
        self._timers.set(Timer.DURATION, self._stage.now + self._agent.patience.answer)

    def _transfer_asked(self, event: TransferAsked) -> None:
        if self._state is AgentState.RINGING:
            return
        self._floor.held = False
        self._answering.say(self._agent.phrases.transfer, farewell=Transfer(event.to))

    # --- nobody speaks -----------------------------------------------------------------------------------------------

    def _restart_quiet(self) -> None:
        self._quiet_since = self._stage.now
        self._prompts = 0
        self._timers.set(Timer.QUIET, self._quiet_since + self._agent.patience.prompt_first)

    def _wait_in_quiet(self) -> None:
        """Nobody spoke when the next step of the ladder was due, but the moment was wrong: it is soon."""
        if not (self._floor.caller.speaking or self._floor.caller.text):
            self._timers.set(Timer.QUIET, self._stage.now + _NOT_YET)

    def _quiet(self) -> None:
        """The ladder of silence: two questions, then goodbye."""
        if self._answering.reply is not None or self._floor.caller.speaking or self._floor.caller.text:
            return  # `_settle` sets it again when everybody is quiet
        patience = self._agent.patience
        ladder = (patience.prompt_first, patience.prompt_second, patience.prompt_goodbye)
        if self._prompts == 2:
            self._leave(outcomes.SILENCE, self._agent.phrases.goodbye_silence)
        else:
            prompts = self._agent.phrases.still_there
            self._answering.say(prompts[self._prompts % len(prompts)])
            self._prompts += 1
            self._timers.set(Timer.QUIET, self._quiet_since + ladder[self._prompts])

    # --- the state, derived ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """After each event: has the answer come to its end, and who has the floor now?"""
        if self.over or self._state is AgentState.RINGING:
            return
        answering = self._answering
        if answering.reply is not None and answering.done and not self._floor.held:
            self._answer_over()
            if self.over:
                return
        if answering.reply is None:
            new = AgentState.LISTENING
            self._floor.held = False
        elif self._floor.held:
            new = AgentState.HOLDING
        elif answering.speaking.playback.pending:
            new = AgentState.SPEAKING
        else:
            new = AgentState.THINKING
        self._state = agent_move(self._state, new)
        if new is AgentState.LISTENING and not self._timers.running(Timer.QUIET):
            self._wait_in_quiet()

    def _answer_over(self) -> None:
        farewell = self._answering.finish()
        if farewell is None:
            if self._prompts == 0:
                self._restart_quiet()
            if self._floor.caller.text and not self._floor.caller.speaking:
                self._floor.turn_over()  # what was said while the agent could not be interrupted
            return
        reached = outcomes.TRANSFERRED if isinstance(farewell, Transfer) else Outcome(farewell.reason, farewell.fault)
        self.outcome = self.outcome or reached
        self._stage.do(farewell)
        self._timers.stop_all()
        self._state = agent_move(self._state, AgentState.GONE)
