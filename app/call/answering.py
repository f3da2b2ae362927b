"""The agent's side of the floor: one answer, from the first request to the last mark.

An answer may be begun before the caller's turn is over; nothing of it is played, remembered or done until it is
committed. Whatever comes from the mind carries its question's number; what belongs to no open question is gone.
"""

from app.call.actions import Commit, HangUp, Remember, Said, StopThinking, Think, UseTools, Write
from app.call.agent import Agent
from app.call.dialogue import Dialogue
from app.call.events import ToolAnswer, ToolCall, Voiced
from app.call.outcome import NO_MIND, NO_VOICE
from app.call.patience import equivalent
from app.call.replies import OWN_TOOLS, Farewell, Reply, own_work
from app.call.speaking import Speaking
from app.call.stage import Stage
from app.call.timers import Timer

# A mind that asks for tools again and again without a word is going in circles.
_MOST_ROUNDS = 8


class AgentSide:
    def __init__(self, agent: Agent, stage: Stage, dialogue: Dialogue) -> None:
        self._agent = agent
        self._stage = stage
        self._dialogue = dialogue
        self.speaking = Speaking(stage, dialogue, agent.patience)
        self.reply: Reply | None = None
        self._ahead: Reply | None = None
        self._turns = 0
        self._covers = 0
        self._failures = 0  # answers in a row that failed

    # --- asking ------------------------------------------------------------------------------------------------------

    @property
    def audible(self) -> bool:
        return self.speaking.playback.sounding(self._stage.now)

    @property
    def done(self) -> bool:
        """Everything of the answer has been thought, done and heard."""
        return self.reply is None or not (self.reply.busy or self.speaking.playback.open)

    @property
    def protected(self) -> bool:
        """Is what is being said something that must be heard out?"""
        return self.speaking.playback.protected()

    # --- answers of the platform's own -------------------------------------------------------------------------------

    def say(self, text: str, *, farewell: Farewell | None = None, disclosure: str = "") -> None:
        """Words that need no mind. They take the place of whatever was being said."""
        self.drop("something else had to be said")
        self.reply = Reply(committed=True, said=True, farewell=farewell)
        if disclosure:
            self.reply.spoken.append(self.speaking.say(disclosure, protected=True))
        if text:
            self.reply.spoken.append(self.speaking.say(text, protected=farewell is not None))

    # --- answers of the mind -----------------------------------------------------------------------------------------

    def think_ahead(self, text: str) -> bool:
        """Begin to answer words that may not be all. False if that is what is being done already."""
        if self._ahead is not None and equivalent(self._ahead.asked, text):
            return False
        self.cancel_ahead("the words changed")
        self._ahead = Reply(asked=text)
        self._think(self._ahead)
        return True

    def cancel_ahead(self, why: str) -> None:
        if self._ahead is None:
            return
        ahead, self._ahead = self._ahead, None
        self._stop_thinking(ahead, why)
        for question in ahead.spoken:
            self.speaking.withdraw(question)

    def answer(self, text: str, heard_end: float, began: float) -> None:
        """The caller's turn is over: answer it, with what was begun ahead if it answers these words."""
        ahead = self._ahead
        if ahead is not None and equivalent(ahead.asked, text):
            self._ahead = None
            self.reply = ahead
        else:
            self.cancel_ahead("the words changed")
            self.reply = Reply(asked=text)
        reply = self.reply
        self._turns += 1
        now, patience = self._stage.now, self._agent.patience
        self._dialogue.caller_said(text)
        reply.committed = True
        if not reply.question:
            self._think(reply)
        self._stage.do(
            Commit(self._turns, reply.question, text, heard_end),
            Write("caller", text, text, began, heard_end),
        )
        self._stage.timers.set(Timer.COVER, now + patience.cover)
        if reply.chosen is None and reply.thinking:
            self._stage.timers.set(Timer.FIRST_TOKEN, now + patience.first_token)
        self._release(reply)
        self.remember()

    def thought_began(self, question: int) -> None:
        reply = self._thinking(question)
        if reply is None or reply.chosen is not None:
            return
        reply.chosen = question
        for slower in reply.thinking - {question}:
            self._stage.do(StopThinking(slower, "its twin was faster"))
        reply.thinking &= {question}
        if reply.committed:
            self._stage.timers.stop(Timer.FIRST_TOKEN)

    def thought(self, question: int, text: str) -> None:
        self.thought_began(question)
        reply = self._thinking(question)
        if reply is None:
            return
        reply.said = True
        reply.written += text
        if reply.committed or self._agent.work_ahead == "eager":
            self._speak(reply, text)
        else:
            reply.unspoken.append(text)

    def tools_wanted(self, question: int, calls: tuple[ToolCall, ...]) -> None:
        self.thought_began(question)
        if (reply := self._thinking(question)) is not None:
            reply.wanted, reply.wanted_by = calls, question

    def thought_ended(self, question: int, reason: str) -> None:
        self.thought_began(question)
        reply = self._thinking(question)
        if reply is None:
            return
        reply.thinking.discard(question)
        reply.over = reason
        self._failures = 0
        if not reply.unspoken:
            self._end_utterance(reply)
        if reply.committed:
            self._conclude(reply)

    def thought_failed(self, question: int, why: str, again: bool) -> None:
        reply = self._thinking(question)
        if reply is None:
            return
        reply.thinking.discard(question)
        if not reply.committed:
            self.cancel_ahead(why)
        elif not reply.thinking:
            self._think_again(reply)

    def tools_answered(self, question: int, answers: tuple[ToolAnswer, ...]) -> None:
        self._dialogue.tools_answered(question, answers)
        reply = self.reply
        if reply is None or reply.working != question:
            return
        reply.working = None
        self._stage.timers.stop(Timer.TOOLS)
        if reply.farewell is None:
            self._think(reply)
        elif not reply.said:
            self._say_within(reply, self._parting(reply.farewell))

    # --- the mouth ---------------------------------------------------------------------------------------------------

    def voiced(self, sound: Voiced) -> None:
        reply = self.reply
        if reply is not None and reply.cover is not None and sound.question in reply.spoken:
            late = sound.question != reply.cover and not self.speaking.playback.begun(reply.cover)
            if late:  # the answer itself is here before the word that was to cover its absence
                self.speaking.withdraw(reply.cover)
                reply.cover = None
        self.speaking.voiced(sound)

    def voice_failed(self, question: int) -> None:
        if self.speaking.kept(question):
            self.cancel_ahead("the voice failed")
            return
        reply = self.reply
        successor = self.speaking.fail_over(question)
        if reply is None or question not in reply.spoken:
            return
        if successor is not None:
            reply.spoken.append(successor)
            if reply.utterance == question:
                reply.utterance = successor
            return
        if reply.utterance == question:
            reply.utterance = None
        if isinstance(reply.farewell, HangUp) and reply.farewell.reason == NO_VOICE.reason:
            return  # even the excuse cannot be spoken: the call ends as soon as it is done
        if self.speaking.playback.open or question == reply.cover:
            return
        self.say(self._agent.phrases.trouble, farewell=HangUp(NO_VOICE.reason, NO_VOICE.fault))

    # --- the floor ---------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        self.speaking.hold()
        self._stage.timers.stop(Timer.COVER)

    def resume(self) -> None:
        self.speaking.resume()
        if self.reply is not None and not self.audible and self.reply.busy:
            self._stage.timers.set(Timer.COVER, self._stage.now + self._agent.patience.cover)

    def drop(self, why: str) -> None:
        """This answer is over, wherever it was."""
        self.cancel_ahead(why)
        reply, self.reply = self.reply, None
        if reply is not None:
            self._stop_thinking(reply, why)
        self.speaking.drop()
        self._stage.timers.stop(Timer.COVER, Timer.FIRST_TOKEN, Timer.TOOLS)
        if reply is not None:
            self.remember()

    def finish(self) -> Farewell | None:
        """The answer has been heard to its end. Returns what is to be done after it."""
        reply, self.reply = self.reply, None
        self._stage.timers.stop(Timer.COVER, Timer.FIRST_TOKEN, Timer.FIRST_VOICE, Timer.TOOLS)
        self.remember()
        return reply.farewell if reply is not None else None

    def remember(self) -> None:
        self._stage.do(Remember(self._dialogue.messages(self.speaking.heard)))

    # --- alarms ------------------------------------------------------------------------------------------------------

    def first_token_overdue(self) -> None:
        reply = self.reply
        if reply is None or reply.chosen is not None:
            return
        if reply.second_mind:
            self._stop_thinking(reply, "too slow")
            self._think_again(reply)
        else:
            reply.second_mind = True
            self._think(reply, fallback=True)

    def first_voice_overdue(self) -> None:
        if (question := self.speaking.overdue()) is not None:
            self.voice_failed(question)

    def tools_overdue(self) -> None:
        reply = self.reply
        if reply is None or reply.working is None:
            return
        calls = self._dialogue.open_calls(reply.working)
        late = tuple(ToolAnswer(call.id, "No answer in time.", failed=True) for call in calls)
        self.tools_answered(reply.working, late)

    def cover(self) -> None:
        """The caller hears nothing: say a word, varied, so that the line is not taken for dead."""
        reply = self.reply
        phrases = self._agent.phrases.acknowledgements
        if reply is None or not phrases or self.done:
            return
        now, patience = self._stage.now, self._agent.patience
        if self.audible:
            self._stage.timers.set(Timer.COVER, self.speaking.playback.runs_dry + patience.cover)
            return
        already = any(self.speaking.playback.begun(question) for question in reply.spoken)
        if not already or reply.working is not None:
            reply.cover = self.speaking.say_first(phrases[self._covers % len(phrases)])
            reply.spoken.append(reply.cover)
            self._covers += 1
        self._stage.timers.set(Timer.COVER, max(now, self.speaking.playback.runs_dry) + patience.cover_again)

    # --- within ------------------------------------------------------------------------------------------------------

    def _thinking(self, question: int) -> Reply | None:
        """The reply to which an open request belongs."""
        for reply in (self.reply, self._ahead):
            if reply is not None and question in reply.thinking:
                return reply
        return None

    def _think(self, reply: Reply, *, fallback: bool = False, note: str = "") -> None:
        question = self._stage.next_question()
        reply.question = reply.question or question
        reply.thinking.add(question)
        reply.chosen = None
        # An answer that goes on knows what it has just written; a new one knows only what was heard.
        messages = self._dialogue.messages(self.speaking.written if reply.said else self.speaking.heard)
        if not reply.committed and reply.asked:
            messages = (*messages, Said("caller", reply.asked))
        if note:
            messages = (*messages, Said("platform", note))
        self._stage.do(Think(question, messages, fallback, ahead=not reply.committed))
        if reply.committed:
            self._stage.timers.set(Timer.FIRST_TOKEN, self._stage.now + self._agent.patience.first_token)

    def _think_again(self, reply: Reply) -> None:
        """Every request of this reply has failed: ask the second mind once, then make an excuse."""
        if not reply.second_mind:
            reply.second_mind = True
            written = reply.written.strip()
            note = f'Your answer broke off after "{written}". Go on from there and repeat nothing.' if written else ""
            self._think(reply, fallback=True, note=note)
            return
        if reply.said:
            self._end_utterance(reply)
            return
        self._failures += 1
        phrases = self._agent.phrases
        if self._failures < 2:
            self.say(phrases.apology)
        else:
            self.say(phrases.trouble, farewell=HangUp(NO_MIND.reason, NO_MIND.fault))

    def _stop_thinking(self, reply: Reply, why: str) -> None:
        for question in sorted(reply.thinking):
            self._stage.do(StopThinking(question, why))
        reply.thinking.clear()

    def _speak(self, reply: Reply, text: str) -> None:
        if reply.utterance is None:
            reply.utterance = self.speaking.begin(kept=not reply.committed)
            reply.spoken.append(reply.utterance)
        self.speaking.add(reply.utterance, text)

    def _end_utterance(self, reply: Reply) -> None:
        if reply.utterance is not None:
            self.speaking.end(reply.utterance)
            reply.utterance = None

    def _say_within(self, reply: Reply, text: str) -> None:
        reply.said = True
        reply.spoken.append(self.speaking.say(text))

    def _release(self, reply: Reply) -> None:
        """The turn is committed: let out what was held back."""
        for question in reply.spoken:
            self.speaking.admit(question)
        for text in reply.unspoken:
            self._speak(reply, text)
        reply.unspoken.clear()
        if reply.over:
            self._end_utterance(reply)
            self._conclude(reply)

    def _conclude(self, reply: Reply) -> None:
        """The thought is complete and wanted: do what it asks for, or see to it that something is said."""
        phrases = self._agent.phrases
        if reply.wanted:
            self._use_tools(reply)
        elif not reply.said:
            self._say_within(reply, phrases.refused if reply.over == "refused" else phrases.apology)

    def _use_tools(self, reply: Reply) -> None:
        calls, question = reply.wanted, reply.wanted_by
        reply.wanted = ()
        reply.over = ""
        reply.rounds += 1
        own = own_work(tuple(call for call in calls if call.name in OWN_TOOLS), self._agent)
        others = tuple(call for call in calls if call.name not in OWN_TOOLS)
        self._dialogue.tools_used(question, calls)
        self._dialogue.tools_answered(question, own.answers)
        reply.farewell = own.farewell or reply.farewell
        if own.keys:
            self.speaking.press(own.keys)
        if reply.rounds > _MOST_ROUNDS:
            self._say_within(reply, self._agent.phrases.apology)
        elif others:
            now, patience = self._stage.now, self._agent.patience
            reply.working = question
            self._stage.do(UseTools(question, others))
            self._stage.timers.set(Timer.TOOLS, now + patience.tools)
            if not self._stage.timers.running(Timer.COVER):
                self._stage.timers.set(Timer.COVER, max(now, self.speaking.playback.runs_dry) + patience.cover)
        elif own.failed:
            self._think(reply)
        elif reply.farewell is not None and not reply.said:
            self._say_within(reply, self._parting(reply.farewell))

    def _parting(self, farewell: Farewell) -> str:
        phrases = self._agent.phrases
        return phrases.goodbye if isinstance(farewell, HangUp) else phrases.transfer
