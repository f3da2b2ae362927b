"""The last seconds of what the caller said, numbered by sample, so that a new socket can hear what the old one lost."""

from collections import deque

from app.audio import RATE

KEPT_SECONDS = 5.0  # longer than any reconnect that a caller bears, and than most utterances


class Recent:
    """Sound by position: sample 0 is the first of the call. Only the last five seconds are kept."""

    def __init__(self) -> None:
        self.end = 0  # position behind the last sample
        self.start = 0  # position of the oldest sample that is kept
        self._frames: deque[bytes] = deque()

    def add(self, frame: bytes) -> None:
        self._frames.append(frame)
        self.end += len(frame)
        while self.end - self.start > KEPT_SECONDS * RATE:
            self.start += len(self._frames.popleft())

    def since(self, position: int) -> bytes:
        """Everything from `position`, or from the oldest sample kept if that is later, to the end."""
        wanted = self.end - max(position, self.start)
        if wanted <= 0:
            return b""
        newest = self._frames[-1]
        if wanted == len(newest):  # the rule, fifty times a second
            return newest
        found = 0
        parts: list[bytes] = []
        for frame in reversed(self._frames):
            parts.append(frame)
            found += len(frame)
            if found >= wanted:
                break
        return b"".join(reversed(parts))[found - wanted :]
