"""Sounds that do not silence the agent by themselves: its own voice coming back, and noises that did so for nothing.

A sound that is doubted is not lost. Its words, if it has any, are judged like all words; they come a third of a second
later than the sound, and that is all that a soft caller on a bad line loses.
"""

# 25 dB below full scale. Voices are made 10 dB below it, and what a line gives back of them is 20 to 30 dB softer;
# people who speak softly into a telephone reach twice this.
ECHO_PEAK = 1800
ECHO_TAIL = 0.4  # there and back through a telephone network, and the last sound dying away
# Hammers, dogs and televisions go on, much as loud as before: another 3.5 dB is somebody else.
MUCH_THE_SAME = 1.5
FOR_A_WHILE = 3.0  # a noise that has not been there for so long is a new one


class Doubt:
    def __init__(self) -> None:
        self._peak = 0  # of the sound that stopped us last
        self._noise = 0  # of one that did so for nothing
        self._until = 0.0

    def about(self, peak: int, now: float, began: float, sounded_until: float) -> bool:
        """Is it to be doubted that this sound is the caller? `sounded_until`: when the agent's sound ends, or ended."""
        if now < self._until and peak <= self._noise * MUCH_THE_SAME:
            self._until = now + FOR_A_WHILE
            return True
        return peak <= ECHO_PEAK and began < sounded_until + ECHO_TAIL

    def stopped_by(self, peak: int) -> None:
        """This sound has silenced the agent."""
        self._peak = peak

    def for_nothing(self, now: float) -> None:
        """No words came of it."""
        self._noise, self._until = self._peak, now + FOR_A_WHILE
