"""The steps of a scenario: what the caller does, one after the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voiceloop.testing.scenario_expect import different, disordered, missing, read_expect, read_question, unwanted
from voiceloop.testing.scenario_fields import Fields, name_of, nearest, one_or_more, seconds, text
from voiceloop.testing.scenario_play import Check, Play, Step, StepFailed, heard
from voiceloop.testing.scenario_source import Node, Place, Source, Wrong
from voiceloop.testing.scenario_talk import Line

__all__ = ["STEPS", "read_step"]

_KEYS = re.compile(r"[0-9*#A-D]{1,64}")
AFTER: Final = 1.0
"""Seconds that the agent speaks before it is interrupted, unless the step says otherwise."""


@dataclass(frozen=True, slots=True)
class Hears:
    """Wait until the agent has spoken."""

    place: Place
    step: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    in_order: tuple[str, ...]
    exactly: tuple[str, ...]
    within: float | None
    """Seconds from the end of the caller's words, or from the beginning of the call, to the first sound."""
    patience: float | None

    async def take(self, play: Play) -> None:
        timeout = play.patience if self.patience is None else self.patience
        reply = await play.dialled.hears(timeout=timeout)
        checks = (
            (missing, self.wanted),
            (unwanted, self.unwanted),
            (disordered, self.in_order),
            (different, self.exactly),
        )
        for wrong, wanted in checks:
            if wanted and (problem := wrong(wanted, reply.text)) is not None:
                raise StepFailed(self.place, self.step, problem, heard(reply.text))
        waited = reply.started - play.dialled.carrier.truth.started if reply.latency is None else reply.latency
        if self.within is not None and waited > self.within:
            expected = f"the first sound within {self.within * 1000:.0f} ms"
            raise StepFailed(self.place, self.step, expected, f"after {waited * 1000:.0f} ms; {heard(reply.text)}")


@dataclass(frozen=True, slots=True)
class Says:
    """Say something."""

    place: Place
    step: str
    text: str

    async def take(self, play: Play) -> None:
        await play.dialled.says(self.text)


@dataclass(frozen=True, slots=True)
class Plays:
    """Play a recording into the line."""

    place: Place
    step: str
    path: Path

    async def take(self, play: Play) -> None:
        play.others.append(Line(play.now, "caller", f"(plays {self.path.name})"))
        await play.dialled.says(self.path)


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Speak over the agent."""

    place: Place
    step: str
    text: str
    after: float
    """Seconds that the agent has spoken by then."""
    stops_within: float | None
    """Seconds from the caller's first sound until the agent is silent."""

    async def take(self, play: Play) -> None:
        cut = await play.dialled.interrupts(self.text, after=self.after, timeout=play.patience)
        lasted = cut.agent_stopped - cut.speech.speech_started
        if self.stops_within is not None and lasted > self.stops_within:
            expected = f"the agent to stop within {self.stops_within * 1000:.0f} ms"
            raise StepFailed(self.place, self.step, expected, f"it stopped after {lasted * 1000:.0f} ms")


@dataclass(frozen=True, slots=True)
class Waits:
    """Say nothing."""

    place: Place
    step: str
    seconds: float

    async def take(self, play: Play) -> None:
        await play.dialled.waits(self.seconds)


@dataclass(frozen=True, slots=True)
class Presses:
    """Press keys."""

    place: Place
    step: str
    keys: str

    async def take(self, play: Play) -> None:
        if play.dialled.carrier.ended:
            raise StepFailed(
                self.place, self.step, "a call to press keys in", f"it is over: {play.dialled.carrier.end}"
            )
        await play.dialled.presses(self.keys)


@dataclass(frozen=True, slots=True)
class HangsUp:
    """Hang up."""

    place: Place
    step: str

    async def take(self, play: Play) -> None:
        if play.dialled.carrier.ended:
            raise StepFailed(self.place, self.step, "a call to hang up", f"it is over: {play.dialled.carrier.end}")
        play.report = await play.dialled.hangs_up()


@dataclass(frozen=True, slots=True)
class AgentHangsUp:
    """Wait until the agent ends the call."""

    place: Place
    step: str

    patience: float | None = None

    async def take(self, play: Play) -> None:
        patience = play.patience if self.patience is None else self.patience
        try:
            async with asyncio.timeout(patience):
                await play.dialled.carrier.when(lambda: False)  # returns when the call is over
        except TimeoutError:
            raise StepFailed(self.place, self.step, "the agent to hang up", f"not after {patience:g} s") from None
        play.report = await play.dialled.report()


@dataclass(frozen=True, slots=True)
class Checks:
    """Look whether things are as they must be by now."""

    place: Place
    step: str
    checks: tuple[Check, ...]

    async def take(self, play: Play) -> None:
        for check in self.checks:
            check.check(play)


# --- reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written:
    """A step as it stands in the file."""

    source: Source
    place: Place
    step: str
    value: Node | None
    """What stands behind its word; None for the word alone."""
    options: Fields | None


def _hears(written: _Written) -> Step:
    some, fields = one_or_more(text), written.options
    wanted = some(written.value) if written.value is not None and not written.value.empty else ()
    if fields is None:
        return Hears(written.place, written.step, wanted, (), (), (), None, None)
    return Hears(
        written.place,
        written.step,
        wanted,
        fields.get("not", some, ()),
        fields.get("in order", some, ()),
        fields.get("exactly", some, ()),
        fields.get("within", seconds, None),
        fields.get("patience", seconds, None),
    )


def _interrupts(written: _Written) -> Step:
    said, fields = text(_value(written)), written.options
    after = AFTER if fields is None else fields.get("after", seconds, AFTER)
    limit = None if fields is None else fields.get("stops within", seconds, None)
    return Interrupts(written.place, written.step, said, after, limit)


def _plays(written: _Written) -> Step:
    node = _value(written)
    path = written.source.path.parent / text(node)
    if not path.is_file():
        raise Wrong(node.place, f"expected a recording (WAV), its path from this file; there is no {path.name} there")
    return Plays(written.place, written.step, path)


def _presses(written: _Written) -> Step:
    node = _value(written)
    keys = re.sub(r"\s", "", text(node))
    if not _KEYS.fullmatch(keys):
        raise Wrong(node.place, f'expected keys of a telephone, 0-9 * #, at most 64, such as "1#"; got {node.shown}')
    return Presses(written.place, written.step, keys)


def _checks(written: _Written) -> Step:
    checks = read_expect(written.source, _value(written), at_the_end=False)
    return Checks(written.place, written.step, checks)


def _hangs_up(written: _Written) -> Step:
    _nothing_behind(written)
    return HangsUp(written.place, written.step)


def _agent_hangs_up(written: _Written) -> Step:
    _nothing_behind(written)
    patience = None if written.options is None else written.options.get("patience", seconds, None)
    return AgentHangsUp(written.place, written.step, patience)


def _nothing_behind(written: _Written) -> None:
    if written.value is not None and not written.value.empty:
        raise Wrong(written.value.place, f"expected nothing behind this step, got {written.value.shown}")


def _value(written: _Written) -> Node:
    if written.value is None:
        raise Wrong(written.place, f'expected "{written.step}: …", got the word alone')
    return written.value


@dataclass(frozen=True, slots=True)
class _Kind:
    read: Callable[[_Written], Step]
    options: tuple[str, ...] = ()


STEPS: Final = {
    "hears": _Kind(_hears, ("not", "in order", "exactly", "within", "patience")),
    "says": _Kind(lambda w: Says(w.place, w.step, text(_value(w)))),
    "interrupts": _Kind(_interrupts, ("after", "stops within")),
    "waits": _Kind(lambda w: Waits(w.place, w.step, seconds(_value(w)))),
    "presses": _Kind(_presses),
    "plays": _Kind(_plays),
    "hangs up": _Kind(_hangs_up),
    "agent hangs up": _Kind(_agent_hangs_up, ("patience",)),
    "expect": _Kind(_checks),
    "judge": _Kind(lambda w: Checks(w.place, w.step, read_question(w.source, _value(w)))),
}
"""Every step, by its word."""


def _word(name: str) -> str:
    """The word of a step: "the caller says" and "says" are one, and so are "agent says" and "hears"."""
    word = name.removeprefix("the ").removeprefix("caller ")
    return "hears" if word == "agent says" else word


def read_step(source: Source, node: Node) -> Step:
    """One entry of ``call``. Raises `Wrong`."""
    if node.kind == "text" and not node.empty:
        word = _word(name_of(node))
        if word not in STEPS:
            raise _unknown(node, word)
        return STEPS[word].read(_Written(source, node.place, word, None, None))
    if node.kind != "mapping":
        raise Wrong(node.place, f"expected a step ({', '.join(STEPS)}), got {node.shown}")
    words = [(name, value) for name, value in node.pairs if _word(name_of(name)) in STEPS]
    if not words:
        raise (
            _unknown(node.pairs[0][0], _word(name_of(node.pairs[0][0])))
            if node.pairs
            else Wrong(node.place, f"expected a step ({', '.join(STEPS)}), got {node.shown}")
        )
    name, value = words[0]
    if len(words) > 1:
        first, second = name.text, words[1][0].text
        message = f'two steps in one, "{first}" and "{second}": every step begins with \'- \' on a line of its own'
        raise Wrong(words[1][0].place, message)
    word = _word(name_of(name))
    kind = STEPS[word]
    options = Fields(source, node, f'the step "{word}"', (name_of(name), *kind.options))
    shown = value.text if value.kind == "text" else ", ".join(item.text for item in value.items)
    step = f"{word}: {shown[:100]}" if shown else word
    return kind.read(_Written(source, node.place, step, value, options))


def _unknown(node: Node, word: str) -> Wrong:
    known = [*STEPS, "agent says", "caller says"]
    return Wrong(node.place, f"{node.shown} is no step: expected {', '.join(STEPS)}{nearest(word, known)}")
