"""A call told while it happens, for the eyes of the person on it: lines, turns with their stages, interruptions.

A fold over events and actions, as the account is; out come small objects that the page shows. What was thought ahead
is told when it is wanted, and a line of the agent when its sound is there, never before.

    greeting  after                             seconds from the opened line to the first sound
    hearing   text                              the caller's words so far
    saying    utterance text                    the agent's words, whose sound is on its way
    unsaid    utterance                         it was withdrawn before anybody heard it
    line      who text heard cut utterance at   a side has spoken; `cut` is what was not heard of it
    turn      number asked gap ahead stages     the caller's turn, told anew with every stage that it reaches
    stopped   after                             the caller talked over the agent, who was silent so many seconds later
    tool      name arguments                    the mind has something done
    trouble   who what                          something went wrong on our side
"""

from typing import Any

from app.call.account import Account, Turn
from app.call.actions import ACTIONS, Commit, Speak, StopSpeaking, Think, UseTools, Write
from app.call.events import EndLikely, SpeechEnded, Thought, Troubled, Voiced, WordsHeard

Told = dict[str, Any]


class Telling:
    def __init__(self) -> None:
        self._account = Account()
        self._turn: Told = {}  # the last one, as it was told
        self._barge_ins = 0
        self._greeted = False
        self._cause: object = None
        self._ahead: set[int] = set()  # questions whose answers may never be given
        self._answers: dict[int, int] = {}  # utterance -> the question it answers
        self._texts: dict[int, str] = {}
        self._voiced: set[int] = set()
        self._shown: dict[int, None] = {}  # utterances that the page shows as being said, in order
        self._stopped: list[int] = []  # shown, stopped, and perhaps about to be written down

    def add(self, now: float, thing: object) -> list[Told]:
        """What there is to tell after this event or action."""
        self._account.add(now, thing)
        told = [] if isinstance(thing, Write | StopSpeaking) else self._withdrawn()
        match thing:
            case WordsHeard(text=text) | EndLikely(text=text) | SpeechEnded(text=text) if text:
                told.append({"is": "hearing", "text": text})
            case Think(question=question, ahead=True):
                self._ahead.add(question)
            case Commit(question=question):
                told += self._committed(question)
            case Speak(question=utterance, text=text):
                told += self._spoken(utterance, text)
            case Voiced(question=utterance):
                self._voiced.add(utterance)
                told += self._show(utterance)
            case StopSpeaking(question=utterance) if utterance in self._shown:
                self._stopped.append(utterance)
            case Write():
                told.append(self._written(thing))
            case UseTools(calls=calls):
                told += [{"is": "tool", "name": call.name, "arguments": dict(call.arguments)} for call in calls]
            case Troubled(who=who, what=what):
                told.append({"is": "trouble", "who": who, "what": what})
        if not isinstance(thing, ACTIONS) or isinstance(thing, Commit):
            self._cause = thing
        return told + self._figures()

    # --- the agent's lines -------------------------------------------------------------------------------------------

    def _committed(self, question: int) -> list[Told]:
        self._ahead.discard(question)
        return [told for utterance in sorted(self._voiced) for told in self._show(utterance)]

    def _spoken(self, utterance: int, text: str) -> list[Told]:
        self._texts[utterance] = self._texts.get(utterance, "") + text
        if isinstance(self._cause, Thought | Commit):
            self._answers.setdefault(utterance, self._cause.question)
        return [self._saying(utterance)] if utterance in self._shown and text else []

    def _show(self, utterance: int) -> list[Told]:
        """Tell an utterance that has sound, once, unless it may never be given."""
        wanted = utterance in self._texts and self._answers.get(utterance) not in self._ahead
        if not wanted or utterance in self._shown:
            return []
        self._shown[utterance] = None
        return [self._saying(utterance)]

    def _saying(self, utterance: int) -> Told:
        return {"is": "saying", "utterance": utterance, "text": self._texts[utterance].strip()}

    def _written(self, line: Write) -> Told:
        utterance = None
        if line.who == "agent":
            same = (shown for shown in self._shown if self._texts[shown].strip() == line.text)
            utterance = next(same, None)
        if utterance is not None:
            self._forget(utterance)
        cut = " ".join(line.text.split()[len(line.heard.split()) :]) if line.interrupted else ""
        at = line.started - (self._account.opened or line.started)
        about = {"who": line.who, "text": line.text, "heard": line.heard, "cut": cut}
        return {"is": "line", **about, "utterance": utterance, "at": round(at, 3)}

    def _withdrawn(self) -> list[Told]:
        """Those that were stopped and not written down: nobody has heard of them."""
        gone = [utterance for utterance in self._stopped if utterance in self._shown]
        self._stopped.clear()
        for utterance in gone:
            self._forget(utterance)
        return [{"is": "unsaid", "utterance": utterance} for utterance in gone]

    def _forget(self, utterance: int) -> None:
        del self._shown[utterance]
        del self._texts[utterance]  # sound of it that comes late is not shown again
        self._voiced.discard(utterance)

    # --- figures -----------------------------------------------------------------------------------------------------

    def _figures(self) -> list[Told]:
        account, told = self._account, list[Told]()
        if account.greeting is not None and not self._greeted:
            self._greeted = True
            told.append({"is": "greeting", "after": round(account.greeting, 3)})
        for after in account.barge_ins[self._barge_ins :]:
            told.append({"is": "stopped", "after": round(after, 3)})
        self._barge_ins = len(account.barge_ins)
        if account.turns and (turn := _turn(account.turns[-1])) != self._turn:
            self._turn = turn
            told.append(turn)
        return told


def _turn(turn: Turn) -> Told:
    stages = {name: round(seconds, 3) for name, seconds in turn.stages().items() if seconds is not None}
    gap = None if turn.gap is None else round(turn.gap, 3)
    about = {"number": turn.number, "asked": turn.asked, "gap": gap, "ahead": turn.ahead}
    return {"is": "turn", **about, "stages": stages}
