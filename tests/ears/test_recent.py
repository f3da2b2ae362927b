"""The last five seconds of the caller, by position."""

from app.audio import FRAME_BYTES, RATE
from app.ears.recent import Recent


def frame(number: int) -> bytes:
    return bytes([number % 256]) * FRAME_BYTES


def filled(frames: int) -> Recent:
    recent = Recent()
    for number in range(frames):
        recent.add(frame(number))
    return recent


def test_the_newest_frame_is_what_came_since_the_one_before() -> None:
    assert filled(3).since(2 * FRAME_BYTES) == frame(2)


def test_any_position_gives_all_that_came_after_it() -> None:
    assert filled(3).since(FRAME_BYTES // 2) == frame(0)[FRAME_BYTES // 2 :] + frame(1) + frame(2)


def test_nothing_came_after_the_end() -> None:
    assert filled(3).since(3 * FRAME_BYTES) == b""
    assert Recent().since(0) == b""


def test_what_is_older_than_five_seconds_is_gone() -> None:
    recent = filled(300)
    assert recent.end - recent.start == 5 * RATE
    assert recent.since(0) == recent.since(recent.start)
    assert recent.since(0).startswith(frame(50))


def test_frames_of_any_length_keep_their_positions() -> None:
    recent = Recent()
    for piece in (b"a" * 100, b"b" * 7, b"c" * 160):
        recent.add(piece)
    assert recent.since(95) == b"a" * 5 + b"b" * 7 + b"c" * 160
