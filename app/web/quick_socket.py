"""Uvicorn's websocket without its queue, for whoever asks: messages come in the pass of the loop that read them.

Uvicorn puts each message into a queue, stops reading from the network, and reads on when the application has woken up
and taken it; the parser beneath it makes an object of each frame. Fifty frames a second and call are too many for that.
What is not a whole, plain text is left to uvicorn, and so is every beginning and end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

try:
    from websockets.speedups import apply_mask
except ImportError:  # where the package came without its compiled part
    from websockets.utils import apply_mask

EXTENSION = "patchcord.quick"

Heard = Callable[[str | bytes], bool]
"""Takes a message, never raises, never waits. False: it wants no more, and who waits for `receive` is woken."""

Say = Callable[[Sequence[str]], bool]
"""Sends all of these texts at once, or none: False where the network is behind or the socket is not open."""

_TEXT = 0x81  # a text, whole, with no extension
_MASKED = 0x80  # as every client must


def listen(scope: Mapping[str, Any], heard: Heard) -> bool:
    """From now on `receive` gives the end alone, and messages go to `heard`; False where this socket cannot do that."""
    socket = scope.get("extensions", {}).get(EXTENSION)
    if socket is None:
        return False
    socket["listen"](heard)
    return True


def say_at_once(scope: Mapping[str, Any]) -> Say:
    """How texts are sent without waiting; where this socket cannot, it never takes any."""
    socket = scope.get("extensions", {}).get(EXTENSION)
    say: Say = socket["say"] if socket is not None else lambda texts: False
    return say


class QuickSocket(WebSocketsSansIOProtocol):
    """Offers `listen` and `say_at_once` to the application, by an extension of the scope."""

    _heard: Heard | None = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"listen": self._listen, "say": self._say}

    def data_received(self, data: bytes) -> None:
        """What the parser has begun it ends; what it need not see it does not see."""
        begun = self._heard is None or self.frames or self.conn.reader.buffer
        texts = None if begun else whole_texts(data)
        if texts is None:
            super().data_received(data)
            return
        for text in texts:
            if self._heard is not None:
                self._hand_on(text)
            elif not self.close_sent:
                self.queue.put_nowait({"type": "websocket.receive", "text": text})

    def send_receive_event_to_app(self) -> None:
        if self._heard is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        message, self.frames = b"".join(self.frames), []
        self._hand_on(message if self.curr_msg_data_type == "bytes" else message.decode(errors="replace"))

    def _listen(self, heard: Heard) -> None:
        """What has been read already comes first, in its order."""
        self._heard = heard
        waiting = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        for message in waiting:
            if self._heard is not None and message["type"] == "websocket.receive":
                self._hand_on(message.get("text") or message.get("bytes") or "")
            else:
                self.queue.put_nowait(message)
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def _hand_on(self, message: str | bytes) -> None:
        assert self._heard is not None
        if not self._heard(message):
            self._heard = None
            self.queue.put_nowait({"type": "websocket.receive", "text": ""})

    def _say(self, texts: Sequence[str]) -> bool:
        open_ = self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())
        if not open_ or not self.writable.is_set():
            return False
        self.transport.write(b"".join(map(framed, texts)))  # one segment for a sound and its mark
        return True


def whole_texts(data: bytes) -> list[str] | None:
    """The texts that these bytes are, if they are whole frames of a client with a text each; else None."""
    texts = []
    at, end = 0, len(data)
    while at < end:
        if end - at < 8 or data[at] != _TEXT:  # none of the carrier's messages is so short
            return None
        length = data[at + 1] - _MASKED
        if not 0 <= length < 127:  # not masked, or longer than any message should be
            return None
        at += 2
        if length == 126:
            length = data[at] << 8 | data[at + 1]
            at += 2
        start = at + 4
        if start + length > end:
            return None
        try:
            texts.append(apply_mask(data[start : start + length], data[at:start]).decode())
        except UnicodeDecodeError:
            return None
        at = start + length
    return texts


def framed(text: str) -> bytes:
    """The frame of a server for this text."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return bytes((_TEXT, length)) + payload
    if length < 65536:
        return bytes((_TEXT, 126)) + length.to_bytes(2) + payload
    return bytes((_TEXT, 127)) + length.to_bytes(8) + payload
