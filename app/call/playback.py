"""The playback ledger: what was sent to the caller, what came back as played, and so what was heard.

Facts are kept (sent, marked, cleared); what was heard is derived from them. Twilio plays in order and echoes a mark
when the sound before it has been played, but it echoes every pending mark at a clear too: such an echo proves nothing.

Where the caller is between two marks, the clock tells: what was sent while nothing was left to play began when it
arrived. Sound and a `clear` take the same way to the caller, so at the moment when a clear takes effect the caller has
heard as much as the clock of the sender says. A mark that comes back later than marks usually do tells of a delay on
the way, and sets that clock back.
"""

from collections import deque
from dataclasses import dataclass, field

from app.audio import Clip
from app.call.actions import Play
from app.call.events import Word

# Four marks a second, which is one for each piece of sound as ElevenLabs sends it: a lost mark makes us forget at most
# a word, and the carrier is not flooded.
MARK_SECONDS = 0.25
# Marks come back after the way there and back, some 50 to 150 ms. What is beyond this is taken for a delay in playing.
_LONGEST_WAY = 0.25
# The carrier looks for marks that are due once in each of its frames, so a mark may be late by so much for no reason.
_BEAT = 0.02
# Rounding of clips to three samples (0.4 ms) must not make the last word of an utterance unheard.
_SLACK = 0.002
# Starts of words are told in milliseconds and clips are cut at every third sample: a little quiet before a word that is
# said again keeps its first sound whole.
_BEFORE = 0.01


@dataclass(slots=True)
class Track:
    """The sound of one utterance: everything that was voiced, how much was sent, how much was heard."""

    question: int
    protected: bool = False
    clips: list[tuple[float, Clip]] = field(default_factory=list)  # where each begins, and the sound
    words: list[Word] = field(default_factory=list)
    voiced: float = 0.0  # seconds of sound there are
    sent: float = 0.0  # seconds of it that were sent, counted from its beginning
    closed: bool = False  # all of it has been voiced
    starts: float | None = None  # when the caller begins to hear it, by the clock

    def add(self, clip: Clip, words: tuple[Word, ...]) -> None:
        self.clips.append((self.voiced, clip))
        self.words.extend(words)
        self.voiced += clip.seconds

    def unsent(self) -> list[Clip]:
        left = []
        for begins, clip in self.clips:
            if begins + clip.seconds <= self.sent + 1e-9:
                continue
            left.append(clip.after(self.sent - begins) if begins < self.sent else clip)
        return left


@dataclass(slots=True)
class _Piece:
    """One stretch of sound in the carrier's buffer, with the mark behind it."""

    mark: int
    track: Track
    ends: float  # within its track
    seconds: float


class Playback:
    """One call's sound, in the order in which it is to be heard: a track begins when the one before it is done."""

    def __init__(self) -> None:
        self._tracks: deque[Track] = deque()
        self._heard: dict[int, float] = {}
        self._pending: deque[_Piece] = deque()
        self._runs_dry = 0.0
        self._way = _LONGEST_WAY  # there and back, as far as marks have shown
        self._mark = 0
        self.holding = False

    # --- asking ------------------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Is there anything that was begun and has not been heard to its end?"""
        return bool(self._tracks)

    @property
    def pending(self) -> bool:
        """Is there sound in the carrier's buffer, as far as its marks tell?"""
        return bool(self._pending)

    @property
    def runs_dry(self) -> float:
        """When the carrier's buffer is empty, by the clock."""
        return self._runs_dry

    def sounding(self, now: float) -> bool:
        return bool(self._pending) and self._runs_dry > now

    def protected(self) -> bool:
        """Is what the caller hears now something that must not be interrupted?"""
        return bool(self._tracks) and self._tracks[0].protected

    def unheard(self, now: float) -> float:
        """Seconds of voiced sound that the caller has not heard yet."""
        return sum(track.voiced - self.heard(track.question, now) for track in self._tracks)

    def begun(self, question: int) -> bool:
        """Has any of this utterance been sent?"""
        track = self._find(question)
        return question in self._heard or (track is not None and track.sent > 0)

    def starts(self, question: int) -> float | None:
        """When the caller begins to hear this utterance; None while none of it has been sent."""
        track = self._find(question)
        return track.starts if track is not None else None

    def waiting(self, question: int) -> bool:
        return self._find(question) is not None

    def heard(self, question: int, now: float) -> float:
        """Seconds of this utterance that have been played to the caller."""
        heard = self._heard.get(question, 0.0)
        reached = 0.0
        left = max(0.0, self._runs_dry - now)
        for piece in reversed(self._pending):
            unplayed = min(left, piece.seconds)
            left -= unplayed
            if piece.track.question == question:
                reached = piece.ends - unplayed
                if unplayed < piece.seconds:
                    break
        return max(heard, reached)

    def heard_words(self, question: int, now: float) -> list[Word]:
        """The words of this utterance that were played to their end."""
        track = self._find(question)
        if track is None:
            return []
        heard = self.heard(question, now) + _SLACK
        return [word for word in track.words if word.end <= heard]

    def voiced_words(self, question: int) -> int:
        track = self._find(question)
        return len(track.words) if track else 0

    # --- happening ---------------------------------------------------------------------------------------------------

    def begin(self, question: int, *, protected: bool = False, first: bool = False) -> None:
        """A new utterance queues up; `first` puts it before those of which nothing has been sent."""
        track = Track(question, protected)
        if not first:
            self._tracks.append(track)
            return
        place = next((n for n, other in enumerate(self._tracks) if not other.sent), len(self._tracks))
        self._tracks.insert(place, track)

    def add(self, question: int, clip: Clip, words: tuple[Word, ...], now: float) -> list[Play]:
        track = self._find(question)
        if track is None:
            return []
        track.add(clip, words)
        return self._send(now)

    def close(self, question: int, now: float) -> list[Play]:
        """All of this utterance has been voiced; the next one may follow it."""
        track = self._find(question)
        if track is None:
            return []
        track.closed = True
        return self._send(now)

    def played(self, mark: int, now: float) -> list[int]:
        """A mark came back. Returns the utterances that have now been heard to their end."""
        if not any(piece.mark == mark for piece in self._pending):
            return []  # it was flushed by a clear, or came twice
        while self._pending:
            piece = self._pending.popleft()
            self._heard[piece.track.question] = piece.ends
            if piece.mark == mark:
                break
        self._set_clock(now - (self._runs_dry - sum(piece.seconds for piece in self._pending)))
        return self._done()

    def all_played(self, now: float) -> list[int]:
        """The marks are overdue: believe the clock."""
        return self.played(self._pending[-1].mark, now) if self._pending else self._done()

    def hold(self, now: float) -> None:
        """The carrier's buffer is being cleared: what is in it goes back to unsent, from the first word cut."""
        for track in self._tracks:
            heard = self.heard(track.question, now)
            if track.sent:
                self._heard[track.question] = heard
            track.sent = self._go_on_from(track, heard)
        self._pending.clear()
        self._runs_dry = now
        self.holding = True

    def release(self, now: float) -> list[Play]:
        """Go on where `hold` stopped."""
        self.holding = False
        return self._send(now)

    def drop(self) -> None:
        """Forget all sound that has not been heard."""
        self._tracks.clear()
        self._pending.clear()
        self._heard.clear()
        self._runs_dry = 0.0
        self.holding = False

    def forget(self, question: int) -> None:
        """Leave out an utterance of which nothing has been sent."""
        track = self._find(question)
        if track is not None and not track.sent:
            self._tracks.remove(track)

    def finish(self, now: float) -> list[int]:
        """Utterances that are over without another mark: closed, and nothing of them is still to be played."""
        return self._done()

    # --- within ------------------------------------------------------------------------------------------------------

    def _set_clock(self, lateness: float) -> None:
        """A mark has come so much later than its sound ends by the clock."""
        self._way = max(0.0, min(self._way, lateness))
        delay = lateness - self._way
        self._runs_dry += delay if delay < 0 else max(0.0, delay - _BEAT)

    def _find(self, question: int) -> Track | None:
        return next((track for track in self._tracks if track.question == question), None)

    def _go_on_from(self, track: Track, heard: float) -> float:
        if heard >= track.voiced - _SLACK and track.closed:
            return track.voiced
        cut = next((word for word in track.words if word.end > heard + _SLACK), None)
        return min(heard, max(0.0, cut.start - _BEFORE)) if cut is not None else heard

    def _send(self, now: float) -> list[Play]:
        """Send what may be sent: the first track, and the next one once all of those before it is on its way."""
        plays: list[Play] = []
        if self.holding:
            return plays
        for track in self._tracks:
            for clip in track.unsent():
                for piece in clip.pieces(MARK_SECONDS):
                    begins = max(now, self._runs_dry)
                    if track.starts is None:
                        track.starts = begins
                    self._mark += 1
                    track.sent += piece.seconds
                    self._pending.append(_Piece(self._mark, track, track.sent, piece.seconds))
                    self._runs_dry = begins + piece.seconds
                    plays.append(Play(piece, self._mark))
            if not track.closed:
                break
        return plays

    def _done(self) -> list[int]:
        done = []
        while self._tracks:
            track = self._tracks[0]
            in_buffer = any(piece.track is track for piece in self._pending)
            if not track.closed or in_buffer or track.sent < track.voiced - _SLACK:
                break
            self._tracks.popleft()
            self._heard.pop(track.question, None)
            done.append(track.question)
        return done
