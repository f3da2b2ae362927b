"""The YAML of `patchcord apply`: what is right becomes a roster, what is wrong a sentence with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call.agent import Agent
from app.store.roster_file import RosterFaults, read_roster
from app.store.roster_form import Number

CLINIC = """\
agents:
  - name: reception
    greeting: "Hello, this is the clinic. How can I help?"
    prompt: "You answer the phone of a small clinic."
    model: claude-haiku-5-5
    voice: 21m00Tcm4TlvDq8ikWAM
    ears: nova-3            # or flux-general-en
    work_ahead: eager       # off, careful, eager
    transfers:
      nurse: "+15005550003"
numbers:
  - number: "+15005550001"
    agent: reception
"""


def told(text: str) -> list[str]:
    with pytest.raises(RosterFaults) as caught:
        read_roster(text, "clinic.yaml")
    assert str(caught.value) == "\n".join(caught.value.sentences)
    return list(caught.value.sentences)


def test_a_roster_is_read() -> None:
    roster = read_roster(CLINIC, "clinic.yaml")
    (agent,) = roster.agents
    assert isinstance(agent, Agent)
    assert (agent.name, agent.work_ahead, agent.transfers) == ("reception", "eager", {"nurse": "+15005550003"})
    assert roster.numbers == (Number("+15005550001", "reception"),)


def test_a_number_may_stand_without_quotes_when_it_has_its_plus() -> None:
    assert read_roster(CLINIC.replace('"+15005550001"', "+15005550001"), "c").numbers[0].number == "+15005550001"


def test_an_alias_gives_its_value_twice() -> None:
    text = CLINIC.replace("greeting: ", "greeting: &hello ") + '    purpose: "x"\n'
    text = text.replace("    ears: nova-3            # or flux-general-en\n", "    disclosure: *hello\n")
    (agent,) = read_roster(text, "c").agents
    assert agent.disclosure == agent.greeting


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "    greeting:",
            "    greting:",
            "line 3: agent 'reception', greting is not known here; did you mean 'greeting'?",
        ),
        ("eager  ", "hasty  ", "line 8: agent 'reception', work_ahead is 'hasty'; known are careful, eager, off"),
        ("work_ahead: eager", "work_ahead: off  ", "line 8: agent 'reception', work_ahead must be text, in quotes"),
        ("nova-3  ", "nova3  ", "line 7: agent 'reception', ears is 'nova3'; did you mean 'nova-3'?"),
        (
            '"+15005550003"',
            '"911"',
            "line 9: agent 'reception', transfers for 'nurse' is '911', which is no telephone",
        ),
        ('"+15005550001"', '"+1 (500) 555-0001"', "line 12: number '+1 (500) 555-0001', number is"),
        ('"+15005550001"', "15005550001", "line 12: number 1, number must be text, in quotes, not 15005550001"),
        ("agent: reception", "agent: recepton", "line 13: number '+15005550001', agent is 'recepton', which this file"),
        (
            "    model:",
            "    voice: x\n    model:",
            "line 7: agent 'reception', voice stands here a second time, first in",
        ),
        ("numbers:", "nubmers:", "line 11: nubmers is not known here; did you mean 'numbers'?"),
        ("    model: claude", "   model: claude", "line 5: this is not YAML"),
        ("nova-3  ", "!ears nova-3  ", "line 7: agent 'reception', ears 'nova-3' cannot be understood"),
        ("  - name: reception\n    greeting", "  - greeting", "line 2: agent 1 has no name; it needs one"),
    ],
)
def test_a_fault_has_its_line_and_says_how_to_mend_it(old: str, new: str, sentence: str) -> None:
    assert old in CLINIC
    found = told(CLINIC.replace(old, new))
    assert any(line.startswith(f"clinic.yaml, {sentence}") for line in found), found


def test_all_faults_are_told_in_the_order_of_their_lines() -> None:
    text = CLINIC.replace("nova-3  ", "nova3  ").replace("Hello, this is the clinic. How can I help?", "")
    text = text.replace("agent: reception", "agent: nobody")
    found = told(text)
    assert [line.split(":")[0] for line in found] == [f"clinic.yaml, line {n}" for n in (3, 7, 13)]


def test_names_are_given_once() -> None:
    agent, number = CLINIC.split("numbers:\n")
    twice = agent + agent.removeprefix("agents:\n") + "numbers:\n" + number + number
    assert [line.partition(", ")[2] for line in told(twice)] == [
        "line 11: agent 'reception', name is 'reception' a second time; keep one of the two",
        "line 23: number '+15005550001', number is '+15005550001' a second time; keep one of the two",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "agents: []\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert told(text) == ["clinic.yaml, line 1: there is nothing in this file; it needs the keys agents and numbers"]


def test_a_list_that_contains_itself_is_refused() -> None:
    assert any("must not contain itself" in line for line in told("agents: &a [*a]\n"))


def test_a_date_among_the_parameters_of_a_tool_is_refused() -> None:
    tool = (
        '    tools: [{name: t, description: d, url: "https://x.example", parameters: {type: object, x: 2026-11-20}}]\n'
    )
    assert (
        "must be text, a number, true, false or null, not a date"
        in told(CLINIC.replace("numbers:", tool + "numbers:"))[0]
    )


@given(st.text())
def test_any_text_is_read_or_refused_with_lines(text: str) -> None:
    with pytest.raises(RosterFaults, match="any, line"):
        read_roster(text, "any")


def test_any_single_changed_letter_is_read_or_refused() -> None:
    for place in range(len(CLINIC)):
        for letter in '\t:{"#\n':
            sentences = faults_of(CLINIC[:place] + letter + CLINIC[place + 1 :])
            assert all(sentence.startswith("c, line ") for sentence in sentences)


def faults_of(text: str) -> tuple[str, ...]:
    try:
        read_roster(text, "c")
    except RosterFaults as faults:
        return faults.sentences
    return ()
