"""An agent as the core knows it: what it says by itself, how patient it is, and what may interrupt it.

One frozen value per call; where it is written down and how it is checked is the business of `store/roster`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the platform says without asking the mind; all of it is rendered ahead."""

    acknowledgements: tuple[str, ...] = ("One moment.", "Let me see.", "Just a second.", "Let me check that for you.")
    still_there: tuple[str, ...] = ("Are you still there?", "I can't hear you. Are you still on the line?")
    goodbye_silence: str = "I can't hear you, so I will hang up now. Please call again. Goodbye."
    goodbye: str = "Thank you for calling. Goodbye."
    apology: str = "Sorry, I did not get that. Could you say it again?"
    trouble: str = "I'm sorry, I have a technical problem at the moment. Please call again later. Goodbye."
    refused: str = "I'm sorry, I can't help with that. Is there something else I can do for you?"
    time_is_up: str = "I'm sorry, our time is up. Thank you for calling. Goodbye."
    transfer: str = "I'm putting you through now."
    resumed: str = "Sorry, the line dropped for a moment. Where were we?"

    def all(self) -> tuple[str, ...]:
        alone = (self.goodbye_silence, self.goodbye, self.apology, self.trouble, self.refused, self.time_is_up)
        return (*self.acknowledgements, *self.still_there, *alone, self.transfer, self.resumed)


@dataclass(frozen=True, slots=True)
class Patience:
    """Every time limit of a conversation, in seconds. Each says why that number."""

    cover: float = 0.8  # people take a gap of more than 0.7 to 1 s for trouble on the line
    first_token: float = 2.0  # Claude Haiku's 95th percentile is 1.6 s: past 2 s a second request is the better bet
    first_voice: float = 1.5  # ElevenLabs takes 0.2 s; at 1.5 s it will not come
    unconfirmed: float = 1.0  # words reach us 0.4 s after they are spoken; no words within 1 s means it was no speech
    unsettled: float = 1.2  # nova-3 ends a turn 0.3 to 0.5 s after the voice; past 1.2 s it has forgotten to
    unsettled_turns: float = 5.5  # Flux may wait for the rest of a sentence, by its own timeout up to 5 s
    answer_tail: float = 1.0  # a "yes" that overlaps the last second of a question is its answer
    deaf: float = 2.5  # a voice without words for so long, while the ears are away: ask again
    # Quiet after the last sound, where the words say that more will come.
    digits_more: float = 1.8  # people pause for up to 1.5 s between the groups of a number, and look for the paper
    unfinished_more: float = 1.2  # a search for words within a sentence lasts 0.5 to 1 s
    thinking_more: float = 2.6  # who says "um" or "let me see" alone has not begun
    more_words: float = 0.45  # a sound after the last word: were it another one, it would be here 0.35 s after its end
    guess: float = 0.18  # a comma and the stop in "p" or "t" are up to 0.15 s of quiet; Flux says "likely" only at 0.3
    keys_more: float = 2.5  # time to find the next key
    prompt_first: float = 8.0
    prompt_second: float = 16.0
    prompt_goodbye: float = 25.0
    farewell: float = 2.0  # how long after its end by the clock the mark of the last word may still be missing
    answer: float = 20.0  # from the webhook to the media stream; Twilio connects within one second or never
    tools: float = 20.0
    cover_again: float = 5.0  # while tools work on, a word every few seconds says that the line is alive
    longest_call: float = 1800.0


BACKCHANNELS = frozenset(
    {"uh-huh", "uhhuh", "uh huh", "mhm", "mm", "mm-hmm", "mmhmm", "hmm", "hm", "aha", "ah", "oh", "huh", "uh"}
    | {
        "i see",
        "got it",
        "all right",
        "of course",
        "makes sense",
        "that makes sense",
        "i understand",
        "exactly",
        "interesting",
    }
    | {"okay", "ok", "right", "yeah", "yes", "yep", "sure", "alright", "good", "great", "cool", "fine", "really", "wow"}
)


@dataclass(frozen=True, slots=True)
class Interruption:
    """What stops the agent for good, as against what only makes it listen up."""

    allowed: bool = True
    words_needed: int = 1
    backchannels: frozenset[str] = BACKCHANNELS


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A tool that is somebody's HTTP address, described by JSON schema."""

    name: str
    description: str
    url: str
    method: str = "POST"
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 8.0
    effect: bool = True  # False: asking twice harms nobody, so it may be asked before the turn is over


@dataclass(frozen=True, slots=True)
class Agent:
    """Who answers: one version of one agent."""

    name: str
    greeting: str
    prompt: str
    model: str = "claude-haiku-5-5"
    fallback_model: str = "claude-haiku-4-5"
    voice: str = "21m00Tcm4TlvDq8ikWAM"
    voice_model: str = "eleven_flash_v2_5"
    ears: str = "nova-3"
    language: str = "en"
    work_ahead: str = "eager"  # off, careful, eager
    disclosure: str = ""  # said before the greeting, and never interrupted
    keyterms: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    tools: tuple[HttpTool, ...] = ()
    transfers: Mapping[str, str] = field(default_factory=dict)  # a name the mind may use -> the number behind it
    phrases: Phrases = Phrases()
    patience: Patience = Patience()
    interruption: Interruption = Interruption()

    @property
    def hears_turns(self) -> bool:
        """Flux ends turns by itself; nova-3 only hears silence."""
        return self.ears.startswith("flux")
