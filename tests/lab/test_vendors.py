"""The lab itself: its script, its faults, its counts, and its own process."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from ops.lab.vendors import Lab, vendors
from tests.lab.clients import ask

HERE = Path(__file__).parents[2]


async def test_a_run_brings_its_own_answers() -> None:
    script = [{"when": "weather", "say": "It is sunny.", "delay": 0.0}]
    async with vendors(script=script) as lab:
        answer = await ask(lab, "What's the weather like?")
    assert answer.content[0].text == "It is sunny."


async def test_a_fault_that_nobody_can_have_is_refused(lab: Lab) -> None:
    async with httpx.AsyncClient() as client:
        wrong = await client.post(f"{lab.url}/lab/faults", json={"vendor": "twilio", "kind": "mute"})
        assert wrong.status_code == 400
        unknown = await client.post(f"{lab.url}/lab/faults", json={"vendor": "twilio", "kind": "slow", "when": 3})
        assert "when" in unknown.json()["error"]
        assert (await client.get(f"{lab.url}/nowhere")).status_code == 404


async def test_a_reset_forgets_everything(lab: Lab) -> None:
    lab.faults(vendor="anthropic", kind="refuse", status=529, times=None)
    lab.reset()
    await ask(lab, "hello")
    assert len(lab.requests()) == 1
    lab.reset()
    assert lab.requests() == []
    assert lab.counts()["anthropic"]["requests"] == []


def test_the_lab_runs_by_itself_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"when": "weather", "say": "It is sunny."}]')
    words = [
        sys.executable,
        "-m",
        "ops.lab",
        "vendors",
        "--port",
        "0",
        "--profile",
        "published",
        "--script",
        str(script),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "profile published" in said
        lab = Lab(said.split()[3].rstrip(","))
        assert lab.counts()["anthropic"]["requests"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
