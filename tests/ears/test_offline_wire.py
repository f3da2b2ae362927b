"""Letters survive a pipe that is cut anywhere."""

from random import Random

import pytest

from app.ears.offline_wire import Kind, Letter, Unpacking

LETTERS = [
    Letter(Kind.VOCABULARY, 0, b'{"grammar": ""}'),
    Letter(Kind.BEGIN, 1),
    Letter(Kind.SOUND, 1, bytes(range(256)) * 20),
    Letter(Kind.FINISH, 4_000_000_000),
    Letter(Kind.SETTLED, 1, "Zoë".encode()),
]


def test_what_is_packed_is_unpacked_however_it_was_cut() -> None:
    chance = Random(2)
    stream = b"".join(letter.packed() for letter in LETTERS)
    for _ in range(50):
        unpacking, found, at = Unpacking(), [], 0
        while at < len(stream):
            size = chance.choice([1, 3, 9, 100, 4000])
            found += unpacking.add(stream[at : at + size])
            at += size
        assert found == LETTERS


def test_half_a_letter_is_none() -> None:
    unpacking = Unpacking()
    packed = LETTERS[0].packed()
    assert unpacking.add(packed[:-1]) == []
    assert unpacking.add(packed[-1:]) == [LETTERS[0]]


def test_a_kind_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(ValueError, match="99"):
        Unpacking().add(bytes([99]) + bytes(8))
