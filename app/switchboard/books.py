"""From a call's traces to its account: the call's row, a row for each turn, and every line that costs money. Pure.

A call may have several traces: each time its stream broke and it went on, another one began, perhaps elsewhere. What a
killed process did not get to say is estimated from what it had said, and marked so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from app.call.account import Account, Turn
from app.call.actions import Think, UseTools, Write
from app.call.events import Connected, Metered, Thought
from app.ears.deepgram_wire import model
from app.money.usage import Line, lines, telephone
from app.report.percentiles import percentiles
from app.store.ledger import CallRecord, TurnRecord
from app.store.notes import NoteRecord, note
from app.switchboard.trace import Head, Recorded
from app.tools.catalogue import NOTES, fault_of

BROWSER = "browser"  # who calls from the page, where no number is
KILLED = "the process was killed", "platform"
_LETTERS_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class Bookings:
    """All that is written of one call."""

    call: CallRecord
    turns: tuple[TurnRecord, ...]
    lines: tuple[Line, ...]
    notes: tuple[NoteRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One trace of a call, folded. `shift` brings its clock to seconds since the call began."""

    head: Head
    account: Account
    shift: float
    ended: float
    killed: bool

    def since_start(self, moment: float | None) -> float | None:
        return None if moment is None else round(moment + self.shift, 4)


def bookings(recorded: Sequence[Recorded]) -> Bookings:
    """The account of one call from all its traces, the oldest first."""
    parts = _parts(recorded)
    first, last = parts[0], parts[-1]
    began = datetime.fromisoformat(first.head.wall)
    opened = next((part.since_start(part.account.opened) for part in parts if part.account.opened is not None), None)
    ended = last.ended + last.shift
    reason, fault = KILLED if last.killed else (last.account.reason, last.account.fault)
    facts = first.head.facts
    ours, theirs = facts.number, facts.party
    inbound = facts.direction == "inbound"
    call = CallRecord(
        sid=facts.sid,
        direction=facts.direction,
        number=ours,
        from_number=theirs if inbound else ours,
        to_number=ours if inbound else theirs,
        started_at=began,
        agent=first.head.agent.name,
        agent_version=first.head.version,
        answered_at=None if opened is None else began + timedelta(seconds=opened),
        ended_at=began + timedelta(seconds=ended),
        duration_seconds=round(ended - opened, 3) if opened is not None else 0.0,
        end_reason=reason,
        end_fault=fault,
        outcome="transferred" if reason == "transferred" else "",
        interruptions=sum(part.account.interruptions for part in parts),
        false_interruptions=sum(part.account.false_interruptions for part in parts),
        underruns=sum(part.account.underruns for part in parts),
        greeting_seconds=first.account.greeting,
        bargein_p95=percentiles(seconds for part in parts for seconds in part.account.barge_ins).p95,
        details=_details(parts),
    )
    return Bookings(call, tuple(_turns(parts)), _lines(parts, recorded), tuple(_notes(recorded)))


def _parts(recorded: Sequence[Recorded]) -> list[Part]:
    began = datetime.fromisoformat(recorded[0].head.wall)
    parts = []
    for each in recorded:
        account = Account()
        for entry in each.entries:
            if entry.thing is not None:
                account.add(entry.moment, entry.thing, entry.waited)
        if each.end is not None:
            _, account.reason, account.fault = each.end
        ended = each.end[0] if each.end is not None else max(account.last, each.head.moment)
        shift = (datetime.fromisoformat(each.head.wall) - began).total_seconds() - each.head.moment
        parts.append(Part(each.head, account, shift, ended, each.end is None))
    return parts


def _notes(recorded: Sequence[Recorded]) -> Iterator[NoteRecord]:
    """Whatever was to be written down, whether or not it could be at that moment."""
    for each in recorded:
        head = each.head
        began, facts = datetime.fromisoformat(head.wall), head.facts
        about = {"call_sid": facts.sid, "agent": head.agent.name, "number": facts.number, "party": facts.party}
        for entry in each.entries:
            if isinstance(entry.thing, UseTools):
                for call in entry.thing.calls:
                    if call.name in NOTES and not fault_of(head.agent, call):
                        at = began + timedelta(seconds=entry.moment - head.moment)
                        yield note(call.name, call.arguments, at, **about)


# --- turns ----------------------------------------------------------------------------------------------------------


def _turns(parts: Iterable[Part]) -> Iterable[TurnRecord]:
    """A row for whatever either side said, in order; what the answer took stands with the words that it answers."""
    number = 0
    for part in parts:
        waiting = list(part.account.turns)
        for said in part.account.lines:
            number += 1
            asked = waiting.pop(0) if said.who == "caller" and waiting else None
            yield _turn(number, said, asked, part)


def _turn(number: int, said: Write, asked: Turn | None, part: Part) -> TurnRecord:
    record = TurnRecord(
        number=number,
        who=said.who,
        heard=said.heard,
        written=said.text,
        started=part.since_start(said.started),
        ended=part.since_start(said.ended),
        interrupted=said.interrupted,
    )
    if asked is None:
        return record
    return TurnRecord(
        number=number,
        who=said.who,
        heard=said.heard,
        written=said.text,
        started=record.started,
        ended=record.ended,
        heard_end=part.since_start(asked.heard_end),
        transcript=part.since_start(asked.transcript),
        turn_end=part.since_start(asked.turn_end),
        think_first=part.since_start(asked.think_first),
        clause_first=part.since_start(asked.clause_first),
        voice_first=part.since_start(asked.voice_first),
        sent_first=part.since_start(asked.sent_first),
        vendor_seconds=asked.vendors,
        own_seconds=asked.own,
        tool_seconds=asked.tool_seconds,
    )


def _details(parts: Sequence[Part]) -> dict[str, object]:
    """What reports seldom ask for: how long connections took, what went wrong on the way, how often it was resumed."""
    connects = [connect for part in parts for connect in part.account.connects]
    troubles = [trouble for part in parts for trouble in part.account.troubles]
    return {
        "connects": [{"vendor": c.vendor, "seconds": round(c.seconds, 4), "warm": c.warm} for c in connects],
        "troubles": [{"who": trouble.who, "what": trouble.what} for trouble in troubles],
        "traces": len(parts),
    }


# --- money ----------------------------------------------------------------------------------------------------------


def _lines(parts: Sequence[Part], recorded: Sequence[Recorded]) -> tuple[Line, ...]:
    """Every line that costs money. Its key is the place of its fact in the traces, so that it is counted once."""
    facts: list[tuple[str, Metered]] = []
    for place, (part, each) in enumerate(zip(parts, recorded, strict=True), 1):
        facts += _heard_and_unheard(place, part)
        if part.killed:
            facts += [(f"{place}.x{number}", fact) for number, fact in enumerate(_untold(part, each), 1)]
    head = parts[0].head.facts
    whole = telephone(head.direction, head.number, head.party, seconds=_held(parts), streamed=_streamed(parts))
    if head.party == BROWSER:
        whole = ()  # no carrier was asked
    facts += [(f"line.{number}", fact) for number, fact in enumerate(whole, 1)]
    return lines(facts)


def _heard_and_unheard(place: int, part: Part) -> Iterator[tuple[str, Metered]]:
    """The facts of one trace; speech that was made and not heard becomes a fact of its own.

    What was heard comes first: letters are given to the pieces of an utterance in the order in which they were spoken.
    """
    heard = {said.question: len(said.heard) + 1 for said in part.account.lines if said.interrupted}
    whole = {said.question for said in part.account.lines if not said.interrupted}
    for number, fact in enumerate(part.account.usage, 1):
        key = f"{place}.{number}"
        if fact.unit != "character" or fact.wasted or fact.question in whole or part.killed:
            yield key, fact
            continue
        letters, question = Decimal(fact.quantity), fact.question or 0
        used = min(letters, Decimal(heard.get(question, 0)))
        heard[question] = heard.get(question, 0) - int(used)
        yield key, replace(fact, quantity=str(used))
        yield f"{key}w", replace(fact, quantity=str(letters - used), wasted="not heard")


def _streamed(parts: Sequence[Part]) -> float:
    return round(sum(part.ended - part.account.opened for part in parts if part.account.opened is not None), 3)


def _held(parts: Sequence[Part]) -> float:
    """How long the telephone was held: from the first stream's start to the last one's end, with what lay between."""
    opened = [part.account.opened + part.shift for part in parts if part.account.opened is not None]
    ended = [part.ended + part.shift for part in parts if part.account.opened is not None]
    return round(ended[-1] - opened[0], 3) if opened else 0.0


def _untold(part: Part, recorded: Recorded) -> Iterable[Metered]:
    """What vendors will bill for a killed process though it could not say so any more."""
    agent, why = part.head.agent, "the process was killed"
    told = {fact.question for fact in part.account.usage if fact.unit.endswith("_token")}
    hearing: float | None = None  # since when a socket stood whose end nobody has told
    asked: dict[int, Think] = {}
    thought: dict[int, int] = {}
    for entry in recorded.entries:
        match entry.thing:
            case Connected(vendor="deepgram"):
                hearing = entry.moment
            case Metered(vendor="deepgram"):
                hearing = None
            case Think(question=question) if question not in told:
                asked[question] = entry.thing
            case Thought(question=question, text=text) if question in asked:
                thought[question] = thought.get(question, 0) + len(text)
    if hearing is not None:
        seconds = format(Decimal(str(round(part.ended - hearing, 3))), "f")
        yield Metered("deepgram", model(agent), "second", seconds, estimated=True)
    for question, think in asked.items():
        name = agent.fallback_model if think.fallback else agent.model
        letters = sum(len(str(message)) for message in think.messages) + len(agent.prompt)
        yield Metered("anthropic", name, "input_token", _tokens(letters), question, True, why)
        yield Metered("anthropic", name, "output_token", _tokens(thought.get(question, 0)), question, True, why)


def _tokens(letters: int) -> str:
    return str(round(letters / _LETTERS_PER_TOKEN))
