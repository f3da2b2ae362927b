"""What both parties of a call share while one event is handled: the moment, the alarms, and what is to be done."""

from app.call.actions import Action
from app.call.timers import Timers


class Stage:
    def __init__(self, now: float) -> None:
        self.now = now
        self.timers = Timers()
        self._actions: list[Action] = []
        self._questions = 0

    def do(self, *actions: Action) -> None:
        self._actions.extend(actions)

    def next_question(self) -> int:
        """Every question of a call has its own number, so that a late answer cannot be taken for another one's."""
        self._questions += 1
        return self._questions

    def taken(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions
