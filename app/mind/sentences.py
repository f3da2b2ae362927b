"""Text as it is thought, cut into pieces that can be spoken: first a short sentence or clause, then whole sentences.

Cleans on the way what looks well on paper and badly in the ear: markdown, emoji, bullet signs, the clutter of URLs.
How the text arrives changes nothing: the same text gives the same pieces, whatever tokens it came in.
"""

import re
from collections.abc import Iterator

FIRST_PIECE = 15  # letters; a shorter clause ("Sure,") takes less time to say than the next one takes to be voiced
FIRST_SENTENCE = 3  # a whole sentence may be shorter ("No."): the quiet at its end covers the wait for the next piece
FIRST_PIECE_LONGEST = 60  # about four seconds of speech: a first sentence without any comma is cut at a word here
PIECE_LONGEST = 240  # some fifteen seconds: nobody speaks longer sentences, and a mouth should not wait for them

# Where a word may end although no space follows: the dash between clauses, and scripts that are written without spaces.
_STOPS_ALONE = "—。！？，、；："
_CLOSERS = "\"'”’»)]*_"
_UNIT = rf"((?>[^\s{_STOPS_ALONE}]*+[{_STOPS_ALONE}]++[{re.escape(_CLOSERS)}]*+|[^\s{_STOPS_ALONE}]++))(\s*+)"
_WHOLE_UNIT = re.compile(_UNIT + r"(?=(\S))")
_LAST_UNIT = re.compile(_UNIT + r"(?=(\S?))")

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\u200d\u20e3\ufe0e\ufe0f]+"
)
_BULLET = re.compile(r"[-*+•–—·▪‣◦>]|#{1,6}")
_NUMBERED = re.compile(r"(\d{1,2})[.)]")
_RULE = re.compile(r"[-=_*:|~]{3,}|\|+")
_CLUTTER = [  # (what, what is left of it), in this order
    (re.compile(r"!?\[\d+\]"), ""),  # a footnote's number
    (re.compile(r"\]\([^)\s]*\)"), ""),  # the address behind a link's text
    (re.compile(r"</?[A-Za-z][^>\s]*>"), ""),
    (re.compile(r"(?:https?://|mailto:|(?<![\w/.])(?=www\.))(?:www\.)?", re.IGNORECASE), "//"),
    (re.compile(r"//([^\s/?#]+)([^\s?#]*?)/?(?:[?#]\S*?)?(?=[.,;:!?)>\"']*$)"), r"\1\2"),
    (re.compile(r"(?<![^\W_])_+|_+(?![^\W_])"), ""),
    (re.compile(r"(?<!\w)\*+|\*+(?!\w)"), ""),
    (re.compile(r"`+|~~+|!?\[|\]|[<>]"), ""),
]

_NEVER_LAST = re.compile(r"(dr|mr|mrs|ms|mx|prof|st|mt|e\.g|i\.e|vs|approx|gen|rev|hon|bzw|ca)\.")
_LAST_BEFORE_A_CAPITAL = re.compile(
    r"(etc|inc|ltd|co|corp|jr|sr|ave|rd|blvd|dept|est|ext|usw)\.|(\w\.){2,}"
)  # a.m., U.S.


def clean(text: str) -> str:
    """The whole text as it would be spoken."""
    sentences = Sentences()
    return "".join([*sentences.add(text), *sentences.end()])


class Sentences:
    """Takes deltas of any size, gives pieces. Joined, they are the cleaned text; each ends in a space but the last."""

    def __init__(self) -> None:
        self._raw = ""
        self._piece = ""
        self._first = True
        self._line_begins = True
        self._lines = 0

    def add(self, delta: str) -> list[str]:
        self._raw = (self._raw + delta) if self._raw else delta.lstrip()
        return list(self._take(_WHOLE_UNIT))

    def end(self) -> list[str]:
        """Nothing follows, or nothing for a while: what has not been given is given now."""
        pieces = list(self._take(_LAST_UNIT))
        if self._piece.strip():
            pieces.append(self._piece)
        if pieces:
            self._piece, self._first = " ", False  # should more come after all, it does not stick to this
        return pieces

    def _take(self, unit: re.Pattern[str]) -> Iterator[str]:
        """Move every unit that is complete from the raw text to the piece, and give each piece that becomes full."""
        start = 0
        while found := unit.match(self._raw, start):
            start = found.end()
            word, space, follower = found.groups()
            broken = "\n" in space
            word = self._clean_word(word)
            self._piece += f"{word} " if word and space and follower else word
            if broken:
                word = self._stop_line() or word
            if word and self._is_full(word, follower):
                yield self._piece
                # After a short sentence the next piece is wanted as soon as the first one was.
                self._first = self._first and len(self._piece.rstrip()) < FIRST_PIECE
                self._piece = ""
            self._line_begins = broken
            self._lines += broken
        self._raw = self._raw[start:]

    def _clean_word(self, word: str) -> str:
        """One word as it is spoken; "" when it was only for the eye."""
        if self._line_begins and _BULLET.fullmatch(word):
            return ""
        if self._line_begins and self._lines and (numbered := _NUMBERED.fullmatch(word)):
            return f"{numbered[1]},"
        if _RULE.fullmatch(word):
            return ""
        if not word.isalnum():
            word = _EMOJI.sub("", word)
            for clutter, left in _CLUTTER:
                word = clutter.sub(left, word)
        return word

    def _stop_line(self) -> str:
        """A line that ends without a stop, as headings and list items do, is given one; returns the word it ends."""
        line = self._piece.rstrip()
        if not line or not (line[-1].isalnum() or line[-1] in "%)\"'”’"):
            return ""
        self._piece = f"{line}. "
        return f"{line.rsplit(maxsplit=1)[-1]}."

    def _is_full(self, word: str, follower: str) -> bool:
        length = len(self._piece.rstrip())
        if length >= (FIRST_PIECE_LONGEST if self._first else PIECE_LONGEST):
            return True
        if self._first:
            clause = length >= FIRST_PIECE and ends_clause(word)
            return clause or (length >= FIRST_SENTENCE and ends_sentence(word, follower))
        return ends_sentence(word, follower)


def ends_sentence(word: str, follower: str) -> bool:
    """Whether a sentence ends with this word, when the next one begins with the letter `follower`."""
    bare = word.rstrip(_CLOSERS)
    if bare.endswith(("!", "?", "。", "！", "？")):
        return True
    if bare.endswith(("…", "...")):
        return follower.isupper()
    if not bare.endswith("."):
        return False
    low = bare.lstrip("\"'“‘«([").lower()
    if _NEVER_LAST.fullmatch(low):
        return False
    if low == "no.":
        return not follower.isdigit()
    if _LAST_BEFORE_A_CAPITAL.fullmatch(low):
        return follower.isupper()
    initial = len(low) == 2 and low[0].isalpha() and low != "i."
    return not initial


def ends_clause(word: str) -> bool:
    """Whether one may breathe after this word."""
    return word.rstrip(_CLOSERS).endswith((",", ";", ":", "—", "–", "…", "...", "，", "、", "；", "：")) or word == "-"
