"""What words over the agent's own mean: a sound of listening, or an interruption. Judgements over text alone."""

from app.call.agent import Interruption
from app.call.patience import plain

_MOST_WORDS = 4  # "oh, I see, okay"; who says more than that wants to be heard


def is_backchannel(text: str, rules: Interruption) -> bool:
    """Only sounds of listening, a few of them: "mhm", "okay", "yeah, right", "oh, I see". So is silence."""
    words = plain(text).split()
    return len(words) <= _MOST_WORDS and _rest(words, rules) == []


def may_become_backchannel(text: str, rules: Interruption) -> bool:
    """Words arrive one by one: "I" may be the beginning of "I see"."""
    words = plain(text).split()
    if len(words) > _MOST_WORDS:
        return False
    rest = _rest(words, rules)
    return any(phrase.split()[: len(rest)] == rest for phrase in rules.backchannels)


def interrupts(text: str, rules: Interruption) -> bool:
    """Do these words take the floor from the agent?"""
    return len(plain(text).split()) >= rules.words_needed and not is_backchannel(text, rules)


def _rest(words: list[str], rules: Interruption) -> list[str]:
    """What is left when every sound of listening at the beginning is taken off, the longer ones first."""
    while words:
        length = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in rules.backchannels), 0)
        if not length:
            break
        words = words[length:]
    return words
