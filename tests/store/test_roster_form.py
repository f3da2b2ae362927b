"""Plain data becomes an agent and comes back; what cannot be one is told in sentences."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call.agent import Agent, HttpTool, Interruption, Patience, Phrases
from app.store.roster_form import LONGEST_NAME, Fault, form_data, nearest, read_form, restore

BOOKING = HttpTool(
    name="book",
    description="Book a visit.",
    url="https://clinic.example/book",
    parameters={"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    headers={"Authorization": "secret:clinic"},
    effect=True,
)
WHOLE = Agent(
    name="reception",
    greeting="Hello.",
    prompt="You answer the phone.",
    keyterms=("Dr Ng", "Xarelto"),
    knowledge=("We open at nine.",),
    tools=(BOOKING,),
    transfers={"nurse": "+15005550003"},
    phrases=Phrases(goodbye="Bye."),
    patience=Patience(cover=1.0),
    interruption=Interruption(allowed=False, words_needed=2, backchannels=frozenset({"mm", "ja"})),
)

words = st.text(min_size=1).filter(str.strip)
agents = st.builds(
    Agent,
    name=st.text(min_size=1, max_size=LONGEST_NAME).filter(str.strip),
    greeting=words,
    prompt=words,
    keyterms=st.lists(words).map(tuple),
    transfers=st.dictionaries(words, st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z")),
    patience=st.builds(Patience, cover=st.floats(0.1, 9), tools=st.floats(1, 60)),
    interruption=st.builds(Interruption, backchannels=st.frozensets(words), words_needed=st.integers(1, 9)),
)


def written(**changes: object) -> dict[str, object]:
    return {"name": "reception", "greeting": "Hello.", "prompt": "You answer.", **changes}


def faults(**changes: object) -> list[str]:
    agent, found = read_form(Agent, written(**changes))
    assert (agent is None) == bool(found)
    return [f"{'.'.join(map(str, fault.path))} {fault.what}" for fault in found]


def test_an_agent_goes_through_json_and_comes_back_equal() -> None:
    assert restore(Agent, json.loads(json.dumps(form_data(WHOLE)))) == WHOLE


@given(agents)
def test_any_agent_goes_through_json_and_comes_back_equal(agent: Agent) -> None:
    data = json.loads(json.dumps(form_data(agent)))
    assert restore(Agent, data) == agent
    assert read_form(Agent, data) == (agent, [])


def test_what_is_left_out_has_its_default() -> None:
    assert read_form(Agent, written()) == (Agent("reception", "Hello.", "You answer."), [])


def test_a_key_of_a_newer_release_is_left_out_when_an_agent_is_restored() -> None:
    data = {**form_data(WHOLE), "mood": "cheerful"}
    assert restore(Agent, data) == WHOLE


def test_every_fault_is_told_and_not_only_the_first() -> None:
    found = faults(greeting=" ", ears="nova-9", patience={"cover": "soon", "tools": -1})
    assert len(found) == 4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"greting": "Hi"}, "greting is not known here; did you mean 'greeting'?"),
        ({"greeting": "  "}, "greeting is empty; write what is to be said there"),
        ({"greeting": True}, "greeting must be text, in quotes, not True"),
        ({"greeting": None}, "greeting must be text, in quotes, not nothing"),
        ({"work_ahead": "eagre"}, "work_ahead is 'eagre'; did you mean 'eager'?"),
        ({"work_ahead": False}, "work_ahead must be text, in quotes, not False"),
        ({"ears": "whisper"}, "ears is 'whisper'; known are flux-general-en, flux-general-multi, nova-3"),
        ({"keyterms": "Ng"}, "keyterms must be a list, not 'Ng'"),
        ({"patience": {"cover": 0}}, "patience.cover is 0.0; write a number greater than zero"),
        ({"patience": {"cover": True}}, "patience.cover must be a number, not True"),
        ({"patience": {"cover": float("nan")}}, "patience.cover must be a number, not nan"),
        ({"patience": 3}, "patience must be keys with their values, not 3"),
        ({"interruption": {"words_needed": 1.5}}, "interruption.words_needed must be a whole number, not 1.5"),
        ({"interruption": {"allowed": "no"}}, "interruption.allowed must be true or false, not 'no'"),
        ({"phrases": {"still_there": []}}, "phrases.still_there is an empty list; leave it out"),
        ({"transfers": {"nurse": "+1 500 555 0003"}}, 'write "+15005550003"'),
        ({"transfers": {"nurse": "5005550003"}}, 'write it like "+15005550001"'),
    ],
)
def test_a_fault_is_one_clear_sentence(changes: dict[str, object], sentence: str) -> None:
    (found,) = faults(**changes)
    assert sentence in found


def test_silence_prompts_must_follow_each_other() -> None:
    (found,) = faults(patience={"prompt_first": 20.0})
    assert "prompt_first over prompt_second to prompt_goodbye" in found


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "book a table"}, "use up to 64 letters"),
        ({"name": "end_call"}, "which every agent has already"),
        ({"url": "clinic.example/book"}, "begin it with https://"),
        ({"method": "FETCH"}, "'FETCH'; did you mean 'PATCH'?"),
        ({"timeout": 90}, "at most 60"),
        ({"parameters": {"type": "string"}}, "type: object"),
        ({"description": ""}, "is empty"),
    ],
)
def test_a_tool_is_checked(changes: dict[str, object], sentence: str) -> None:
    (found,) = faults(tools=[{**form_data(BOOKING), **changes}])
    assert found.startswith("tools.0.")
    assert sentence in found


def test_two_tools_of_one_name_are_refused() -> None:
    (found,) = faults(tools=[form_data(BOOKING), form_data(BOOKING)])
    assert "two tools called 'book'" in found


def test_a_missing_key_is_named() -> None:
    agent, found = read_form(Agent, {"name": "reception", "greeting": "Hello."})
    assert agent is None
    assert found == [Fault((), "has no prompt; it needs one")]


def test_a_value_that_contains_itself_is_refused() -> None:
    schema: dict[str, object] = {"type": "object"}
    schema["properties"] = schema
    (found,) = faults(tools=[{**form_data(BOOKING), "parameters": schema}])
    assert "must not contain itself" in found


def test_a_far_fetched_word_is_told_what_there_is() -> None:
    assert nearest("purple", ("off", "eager")) == "known are eager, off"
