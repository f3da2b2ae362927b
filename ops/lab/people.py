"""The people whom a server dials by REST: joins the registry of calls to the telephone company that rings them."""

import asyncio
from collections.abc import Callable

from ops.lab.caller import Caller
from ops.lab.carrier import Carrier
from ops.lab.door import clock
from ops.lab.report import Report
from ops.lab.story import Story
from ops.lab.twilio_rest import Call, Calls


def at_home(
    calls: Calls,
    carrier: Carrier,
    people: Callable[[str], tuple[str, Story]],
    tasks: asyncio.TaskGroup,
    done: Callable[[Report], None] = lambda report: None,
) -> None:
    """From now on whatever is dialled rings. `people`: a number -> who answers (human, busy, ...), and with what story.

    The registry may live in another thread; calls are held in this loop, within `tasks`.
    """
    loop = asyncio.get_running_loop()

    async def hold(call: Call) -> None:
        answers, story = people(call.asked("To"))
        caller = Caller(story)

        def moved(status: str, answered_by: str) -> None:
            calls.move(call.sid, status, clock(), answered_by=answered_by or None)

        done(Report.of(await carrier.answer(call, caller, answers=answers, moved=moved), caller))

    def begin(call: Call) -> None:
        tasks.create_task(hold(call))

    def created(call: Call) -> None:
        loop.call_soon_threadsafe(begin, call)

    def updated(call: Call) -> None:
        loop.call_soon_threadsafe(carrier.change, call.sid, call.changes[-1])

    calls.on_created, calls.on_updated = created, updated
