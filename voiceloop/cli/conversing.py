"""What a simulated caller says, and how it takes turns with the agent: for ``voiceloop sim call`` and who is called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voiceloop.cli.simulate import OVER_AFTER
from voiceloop.errors import VoiceloopError
from voiceloop.languages import LANGUAGES
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.google_listen import Listener
from voiceloop.sim.twilio import SimCall

__all__ = ["HELLO", "KEYS", "LONGEST", "BadLine", "Conversation", "Line", "Tell", "line_of"]

ANSWER_LIMIT: Final = 30.0
"""Seconds the caller waits for an answer."""
GREETING_LIMIT: Final = 6.0
"""Seconds that the caller waits for a greeting; then it speaks first."""
LEAVING: Final = 3.0
"""Seconds in which the agent may hang up, once everything was said."""
LONGEST: Final = 1800.0
"""Seconds after which the caller hangs up, whatever is being said."""
_RETURN: Final = 5.0
"""Seconds in which the agent, back on the line, may answer what it was asked before."""
_AGAIN: Final = 35.0
"""Seconds in which a call whose line was cut may come back: Twilio waits 15 s for TwiML, and asks a second time."""
KEYS: Final = "keys:"
"""Stands before keys that are pressed, not said."""
HELLO: Final = (
    ("Hello, can you hear me?", False),
    ("What can you do for me?", False),
    ("Thank you very much. Goodbye.", False),
)
"""What a caller says to a bot of which nothing is known."""
Tell = Callable[[dict[str, Any]], Awaitable[object]]
"""Takes one thing that happened; see `voiceloop.cli.exchange`."""


class BadLine(VoiceloopError):
    """Something that no caller can say."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something the caller says, or keys that it presses."""

    shown: str
    what: str | bytes
    """A text, or mu-law."""
    over: bool = False
    """Whether it is said over the agent."""
    keys: str = ""
    """Pressed in place of saying anything."""


def line_of(shown: str, over: bool = False, audio: bytes | None = None) -> Line:
    """A line as it is written: a text, or ``keys: 1234#``.

    Raises:
        BadLine: these are no keys, or they are to be pressed over the agent.
    """
    if audio is not None or not shown.lower().startswith(KEYS):
        return Line(shown, shown if audio is None else audio, over)
    keys = "".join(shown[len(KEYS) :].split())
    if not re.fullmatch(r"[0-9*#]{1,100}", keys):
        raise BadLine(f"expected keys 0 to 9, * and #, at most 100, like 'keys: 1234#', got {shown[:120]!r}")
    if over:
        raise BadLine(f"keys are pressed when the agent has spoken: leave out the dash before {shown[:120]!r}")
    return Line(f"{KEYS} {keys}", "", False, keys)


class Conversation:
    """What one caller says, and hears.

    Args:
        listener: tells what was heard.
        lines: what is said, in order.
        patience: seconds of silence that are allowed the agent once it has asked for a moment.
        tell: awaited with everything that happens, in order.
    """

    def __init__(self, listener: Listener, lines: Sequence[Line], patience: float, tell: Tell) -> None:
        self._listener = listener
        self._lines = lines
        self._patience = patience
        self._tell = tell
        self._pressed = -1.0
        """When the last key of this stream was pressed, on the loop's clock; below 0: none was."""

    async def runs(self, line: SimCall) -> None:
        """Say everything, each when the agent has spoken. When the line is cut and the call comes back, what was being
        said is said again, unless it was said to its end and the agent answers it now.

        Raises:
            CallEnded: before everything was said.
            GaveUp: the agent is mute, or does not stop speaking.
        """
        lines, at, known, said, cut = self._lines, 0, 0, False, -1
        while at < len(lines):
            caller, streams = line.caller, len(line.streams)
            try:
                if streams != known:
                    if streams > 1:
                        await self._tell({"cut_off": streams - 1})
                    back, known = known > 0, streams
                    greeting = await self._greeting(caller)
                    said = said and back and await self._answers(caller, greeting)
                if not said:
                    await self._say(caller, lines[at], over=lines[at].over and at != cut)
                    said = True
                    if at + 1 == len(lines) or not lines[at + 1].over:
                        await self._hears(caller)
            except CallEnded:
                if not await _comes_back(line, streams):
                    raise
                cut = at
                continue
            at, said = at + 1, False

    async def answers(self, caller: Caller) -> None:
        """Be the person who was called, on one stream: hear who calls, say everything, and hang up.

        Raises:
            CallEnded: before everything was said.
            GaveUp: the agent is mute, or does not stop speaking.
        """
        try:
            async with asyncio.timeout(LONGEST):
                await self._greeting(caller)
                for line, following in zip(self._lines, (*self._lines[1:], None), strict=True):
                    await self._say(caller, line, over=line.over)
                    if following is None or not following.over:
                        await self._hears(caller)
                async with asyncio.timeout(LEAVING):
                    await caller.carrier.wait_ended()
        except TimeoutError as error:
            await caller.hangs_up()
            if isinstance(error, GaveUp):
                raise

    async def _greeting(self, caller: Caller) -> str:
        """Hear what the agent says first, if it does; gives the words."""
        self._pressed = -1.0
        if await _sounds(caller, 0, asyncio.get_running_loop().time() + GREETING_LIMIT) or caller.carrier.end:
            return await self._hears(caller)
        await self._tell({"silent": GREETING_LIMIT})
        return ""

    async def _answers(self, caller: Caller, greeting: str) -> bool:
        """Whether the agent, back on the line, answers what it was asked before."""
        if _spelt(greeting) not in _CUT_OFF:
            return True
        if not await _sounds(caller, caller.carrier.playback.sound_end, asyncio.get_running_loop().time() + _RETURN):
            return False
        await self._hears(caller)
        return True

    async def _say(self, caller: Caller, line: Line, *, over: bool) -> None:
        if line.keys:
            await self._tell({"pressed": line.keys})
            await _press(caller, line.keys)
            self._pressed = asyncio.get_running_loop().time()
            return
        if not over:
            await self._tell({"said": line.shown})
            await caller.says(line.what)
            if caller.carrier.ended:
                raise CallEnded(f"the call ended ({caller.carrier.end}) while the caller spoke")
            return
        cut = await caller.interrupts(line.what, after=OVER_AFTER, timeout=ANSWER_LIMIT)
        truth = caller.carrier.truth
        first, end = truth.sample_at(cut.agent_started), truth.sample_at(cut.agent_stopped)
        await self._tell({"heard": await self._words(bytes(caller.carrier.heard[first:end])), "cut": True})
        await self._tell({"said": line.shown})

    async def _hears(self, caller: Caller) -> str:
        """Hear an answer out; also what follows when the agent has only asked for a moment. Gives the words."""
        asked = max(self._pressed, -1.0 if caller.speech_end is None else caller.speech_end)
        heard = await caller.hears(timeout=ANSWER_LIMIT)
        after = None if asked < 0 else round(heard.started - asked, 3)
        words = await self._words(heard.audio)
        await self._tell({"heard": words, "after": after})
        playback = caller.carrier.playback
        while _asks_to_wait(words) and await _sounds(caller, playback.sound_end, heard.ended + self._patience):
            heard = await caller.hears(timeout=ANSWER_LIMIT)
            words = await self._words(heard.audio)
            await self._tell({"heard": words, "after": None})
        return words

    async def _words(self, audio: bytes) -> str:
        return " ".join(word.text for word in await self._listener.words(audio))


def _spelt(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


_WAITING: Final = tuple(
    _spelt(phrase)
    for language in LANGUAGES.values()
    for phrase in (language.phrases.one_moment, language.phrases.still_working)
)
"""What the library says while tools take their time."""
_CUT_OFF: Final = ((), *(_spelt(language.phrases.cut_off) for language in LANGUAGES.values()))
"""What the agent says, or nothing, when it has no words of the caller that it could answer."""


def _asks_to_wait(words: str) -> bool:
    """Whether the agent's last sentence asks for a moment; not one that only quotes such words."""
    sentences = [spelt for sentence in re.split(r"[.!?]", words) if (spelt := _spelt(sentence))]
    return bool(sentences) and sentences[-1] in _WAITING


async def _comes_back(line: SimCall, streams: int) -> bool:
    """Whether a call whose stream has ended gets another one, as it does when the bot's process has died."""
    try:
        async with asyncio.timeout(_AGAIN):
            await line.settled(streams + 1)
    except TimeoutError:
        return False
    return len(line.streams) > streams


async def _press(caller: Caller, keys: str) -> None:
    try:
        await caller.presses(keys)
    except RuntimeError:
        raise CallEnded(f"the call ended ({caller.carrier.end}) while keys were pressed") from None


async def _sounds(caller: Caller, after: int, until: float) -> bool:
    """Whether the agent is heard after a sample, before a time on the loop's clock."""
    playback = caller.carrier.playback
    try:
        async with asyncio.timeout_at(until):
            return await caller.carrier.when(lambda: playback.sound_end > after)
    except TimeoutError:
        return False
