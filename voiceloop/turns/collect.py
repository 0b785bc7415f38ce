"""Waits for what a caller enters on the keys, for code that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final

from voiceloop.errors import VoiceloopError
from voiceloop.frames import Digit
from voiceloop.keypad import TOOL_WORDS
from voiceloop.turns.keys import EndedBy, Keyed, KeyOptions, Keys

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call
    from voiceloop.registry import Timer

__all__ = ["Collector"]

COLLECT: Final = "keys.collect"
STOP: Final = "keys.stop"
LOOK: Final = 0.5
"""Seconds between two looks whether the agent still speaks: the wait for the first key begins behind that."""
AUDIBLE: Final = 0.05
"""Seconds of audio still to be played below which the agent has spoken."""


class Collector:
    """What `Call.collect_digits` is done by: one for each call, made by the stage that is given the keys.

    It acts on the call by entrances (`Call.enter`), so that a recording holds that keys were waited for: in a replay
    no tool runs, and keys must go where they went.

    Args:
        call: whose keys.
        changed: told when the waiting begins and when it is over.
    """

    def __init__(self, call: Call, changed: Callable[[], None]) -> None:
        self._call = call
        self._changed = changed
        self._keys: Keys | None = None
        self._first = 0.0
        self._result: asyncio.Future[Keyed] | None = None
        self._prompt: Answer | None = None
        self._timer: Timer | None = None
        self._outer = frozenset[str]()
        call.keypad.collect = self.collect
        call.entrances[COLLECT] = self._begin
        call.entrances[STOP] = self._stop

    async def collect(self, options: KeyOptions, first: float, prompt: str) -> Keyed:
        """See `Call.collect_digits`."""
        call = self._call
        if self._keys is not None:
            raise VoiceloopError("call.collect_digits waits for keys already: one at a time")
        if COLLECT not in call.entrances or call.ending is not None:
            return Keyed("", "call", secret=options.secret, started=call.now, ended=call.now)
        call.enter(COLLECT, [*astuple(options)], first, prompt)
        result = self._result
        assert result is not None
        try:
            return await result
        finally:
            if self._result is result and STOP in call.entrances:
                call.enter(STOP)

    # --- what happens ---

    def press(self, digit: Digit) -> bool:
        """A key was pressed; returns whether somebody waits for it: then it is in no turn."""
        now = self._call.now
        if self._keys is None:
            return False
        if (late := self._keys.tick(now)) is not None:  # its timer is about to fire: this key is another entry's
            self._over(late)
            return False
        if self._keys.options.interrupts and self._prompt is not None:
            self._cut(self._prompt)
        for keyed in self._keys.press(now, digit.digit, secret=digit.secret):
            self._over(keyed)
        self._set_timer()
        return True

    def end(self, why: EndedBy) -> None:
        """It is waited no more: the caller has said something instead, or the call is over."""
        if self._keys is not None:
            self._over(self._keys.end(self._call.now, why))

    # --- entrances ---

    def _begin(self, options: list[Any], first: float, prompt: str) -> None:
        call = self._call
        self._keys = keys = Keys(KeyOptions(*options))
        self._result = asyncio.get_running_loop().create_future()
        self._first = first
        pad = call.keypad
        self._outer, pad.structure = pad.structure, frozenset(keys.options.terminator + keys.options.clear)
        pad.waiting = True
        pad.secrecy(keys.options.secret)
        keys.await_first(call.now, first)
        if prompt:
            self._say(prompt)
        self._changed()
        self._set_timer()

    def _say(self, prompt: str) -> None:
        """A tool's prompt is a part of the answer that it runs for: another answer would have to wait for that."""
        add = self._call.entrances.get(TOOL_WORDS)
        if add is not None:
            add(prompt)
        else:
            self._prompt = self._call.say(prompt)

    def _cut(self, prompt: Answer) -> None:
        self._prompt = None
        if prompt in self._call.unheard_answers():
            self._call.interrupt(prompt)

    def _stop(self) -> None:
        """Whoever waited was cancelled."""
        self.end("call")

    # --- time ---

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        keys = self._keys
        if keys is not None and (due := keys.deadline()) is not None:
            look = due if keys.going_on else min(due, self._call.now + LOOK)
            self._timer = self._call.timer(look, self._tick, "keys")

    def _tick(self) -> None:
        keys, call = self._keys, self._call
        self._timer = None
        if keys is None:
            return
        speaking = max((answer.buffered for answer in call.unheard_answers()), default=0.0)
        if not keys.going_on and speaking > AUDIBLE:
            keys.await_first(call.now + speaking, self._first)
        elif (keyed := keys.tick(call.now)) is not None:
            self._over(keyed)
        self._set_timer()

    def _over(self, keyed: Keyed) -> None:
        pad, keys, result = self._call.keypad, self._keys, self._result
        assert keys is not None
        assert result is not None
        self._keys = self._result = self._prompt = None
        pad.waiting, pad.structure = False, self._outer
        pad.secrecy(-keys.options.secret)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not result.done():
            result.set_result(keyed)
        self._changed()
