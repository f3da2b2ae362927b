"""What a newcomer does: starts the server with no key, opens the page, clicks on Call, and books an appointment aloud.

The caller's voice is a file behind the browser's microphone; the agent's words are recognised in what the page plays.
"""

import asyncio
import os
from datetime import date, datetime, time, timedelta
from pathlib import Path

from app.audio import to_linear
from app.call.agent import Agent
from app.errors import VendorError
from app.mind.offline_calendar import next_weekday
from app.mind.offline_calendar import spoken as in_words
from app.mouth.offline import voice_of
from app.mouth.offline_studio import Order, recite
from app.mouth.ways import Sound
from ops.demo import SAMPLE
from ops.lab import speech
from ops.lab.ear import QUIET
from tests.browser.chromium import chromium, microphone
from tests.browser.contours import SAME, contour, place
from tests.browser.telephone import telephone
from tests.diary import booked
from tests.ears.offline_stage import spoken
from tests.servers import free_port
from tests.stories.whole_house import patchcord, serving

# With time for the answers in between, which take up to six seconds, and a second and a half for a busy machine.
SAYS = (
    (6.0, "i would like to book an appointment"),
    (14.0, "on monday at ten thirty"),
    (25.5, "my name is robert wilson"),
    (37.5, "yes please"),  # which the ears may take for "yeah please": it is the same answer
    (48.5, "no thank you"),
)
SECONDS = 52.0


def newcomer(folder: Path) -> dict[str, str]:
    """A shell in which nobody has set anything of ours but where the data lie and which port is free."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, "DATA_DIR": str(folder), "PORT": str(free_port())}


def said(text: str) -> bytes:
    """The sound of this sentence as the server's mouth makes it, without the quiet around it."""
    told: list[Sound | VendorError | None] = []
    recite(Order(None, text, voice_of(Agent("", "", "")), 0.0, told.append), told.append)
    return to_linear(b"".join(each.clip.mulaw() for each in told if isinstance(each, Sound)).strip(QUIET))


def pieces(slot: datetime) -> tuple[str, ...]:
    """What the agent says, in the pieces in which its mouth is given them; one that comes twice is left out."""
    return (
        *("Hello, this is the clinic.", "How can I help?", "Which day would suit you?"),
        *(f"{in_words(slot)} is free.", "What is your name, please?"),
        *(f"So I book Robert Wilson for {slot:%A},", "Is that right?"),
        *(f"You are booked for {slot:%A},", "Is there anything else I can do for you?"),
        *("Thank you for calling.", "Goodbye."),
    )


async def test_a_newcomer_books_an_appointment_by_voice_with_one_click(tmp_path: Path) -> None:
    environment, slot = newcomer(tmp_path), datetime.combine(next_weekday(date.today(), 0), time(10, 30))
    code, _, errors = await patchcord("apply", str(SAMPLE), env=environment)
    assert code == 0, errors
    async with (
        serving(tmp_path, environment) as server,
        chromium(microphone(tmp_path / "mic.wav", SAYS, SECONDS, spoken)) as browser,
        telephone(browser, server.url, recorded=True) as phone,
    ):
        await phone.page.click("#call")
        await phone.reads(r"You are booked for Monday", seconds=60)
        await phone.reads("The agent said goodbye", seconds=30)
        await phone.picture(tmp_path / "booked.png")
        lines = await phone.lines()
        await asyncio.sleep(0.4)  # the recorder's last piece
        rate, linear = await phone.sound()
        assert "No vendor's key is set, so Patchcord hears, speaks and thinks on this machine" in server.log
        assert f"only a browser of this machine may call, at {server.url}/phone" in server.log
        assert "Traceback" not in server.log

    assert rate == speech.RATE
    understood = " ".join(heard for who, heard, _ in lines if who == "You")
    assert understood.replace("yeah", "yes") == " ".join(text for _, text in SAYS)
    heard = contour(linear)
    moment = in_words(slot).split(" ", 1)[1]
    found = {text: place(contour(said(text)), heard) for text in (*pieces(slot), f"{moment}.")}
    assert {text: fit for text, (fit, _) in found.items() if fit < SAME} == {}
    moments = [found[text][1] for text in pieces(slot)]
    assert moments == sorted(moments)
    tomorrow = in_words(slot + timedelta(1)).split(" ", 1)[1]
    assert place(contour(said(f"{tomorrow}.")), heard)[0] < SAME
    assert await booked(tmp_path) == [slot]
