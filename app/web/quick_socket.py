"""Uvicorn's websocket without its queue, for whoever asks: messages come in the pass of the loop that read them.

Uvicorn puts each message into a queue, stops reading from the network, and reads on when the application has woken up
and taken it. Fifty frames a second and call are too many for that: a fifth of what it takes to receive one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "patchcord.listen"

Heard = Callable[[str | bytes], bool]
"""Takes a message, never raises, never waits. False: it wants no more, and who waits for `receive` is woken."""


def listen(scope: Mapping[str, Any], heard: Heard) -> bool:
    """From now on `receive` gives the end alone, and messages go to `heard`; False where this socket cannot do that."""
    socket = scope.get("extensions", {}).get(EXTENSION)
    if socket is None:
        return False
    socket["listen"](heard)
    return True


class QuickSocket(WebSocketsSansIOProtocol):
    """Offers `listen` to the application, by an extension of the scope."""

    _heard: Heard | None = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"listen": self._listen}

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
