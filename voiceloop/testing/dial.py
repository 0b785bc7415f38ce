"""Dial a bot: a whole phone call, down to the WebSocket messages, inside a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from os import PathLike
from types import ModuleType
from typing import Any

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.llm.base import LLM
from voiceloop.report import CallReport, Turn
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, Caller, Heard, Interrupted, Utterance
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.stt.base import STT
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.base import TTS
from voiceloop.twilio.media import Bot, media_app
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

__all__ = ["Dialled", "Reply", "dial"]

END_LIMIT = 120.0
"""Seconds that the end of a call may take before the test gives up."""


@dataclass(slots=True, frozen=True)
class Reply:
    """What the agent said, as the caller heard it."""

    text: str
    """The words that were heard whole, read from the audio; empty when the agent's voice is not an artificial one."""
    audio: bytes = field(repr=False)
    """Mu-law, 8000 Hz, from the first to the last sound."""
    started: float
    """When the first sound was heard, seconds on the loop's clock."""
    ended: float
    """When the last sound had been heard."""
    latency: float | None
    """Seconds from the end of the caller's last speech to the first sound; None when the caller had not spoken."""


class Dialled:
    """A caller in the middle of a call with a bot."""

    def __init__(self, carrier: Carrier, caller: Caller, lexicon: Lexicon) -> None:
        self.carrier = carrier
        """The other side of the wire: what was heard and said, sample by sample, and the truth about marks."""
        self._caller = caller
        self._lexicon = lexicon
        self._call: Call | None = None
        self._report: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()

    @property
    def call(self) -> Call:
        """The bot's side of the call."""
        if self._call is None:
            raise VoiceloopError("the bot has not taken the call yet")
        return self._call

    @property
    def turns(self) -> list[Turn]:
        """The turns that are over."""
        return self.call.turns

    async def says(self, what: str | bytes | PathLike[str]) -> Utterance:
        """Say a text, mu-law audio or a WAV file. Returns when the last sample was spoken."""
        return await self._caller.says(what)

    async def hears(self, *words: str, timeout: float | None = None) -> Reply:
        """Wait until the agent has spoken and fallen silent; check that what it said holds these words.

        Raises:
            AssertionError: it said something else.
            GaveUp: it did not speak, or did not stop, in time.
        """
        try:
            heard: Heard = await self._caller.hears(timeout=timeout)
        except CallEnded as error:
            raise CallEnded(f"{error}{self._why()}") from None
        text = self._lexicon.text(heard.audio)
        for word in words:
            if word.lower() not in text.lower():
                raise AssertionError(f"expected to hear {word!r}, heard {text!r}")
        before = [u for u in self._caller.utterances if u.speech_ended <= heard.started]
        latency = heard.started - before[-1].speech_ended if before else None
        return Reply(text, heard.audio, heard.started, heard.ended, latency)

    async def interrupts(
        self, what: str | bytes | PathLike[str], *, after: float, timeout: float | None = None
    ) -> Interrupted:
        """Speak over the agent when it has been speaking for `after` seconds; returns when it has fallen silent."""
        return await self._caller.interrupts(what, after=after, timeout=timeout)

    async def waits(self, seconds: float) -> None:
        """Say nothing for a while."""
        await self._caller.waits(seconds)

    async def presses(self, digits: str) -> None:
        """Press keys."""
        await self._caller.presses(digits)

    async def hangs_up(self) -> CallReport:
        """Hang up, also in the middle of a word. Returns the bot's report."""
        await self._caller.hangs_up()
        return await self.report()

    async def report(self) -> CallReport:
        """Wait for the end of the call; returns the bot's report."""
        async with asyncio.timeout(END_LIMIT):
            return await asyncio.shield(self._report)

    def _why(self) -> str:
        """What the bot's side says about its end, for an error message."""
        if not self._report.done():
            return ""
        report = self._report.result()
        last = report.faults[-1] if report.faults else None
        return f"; the bot's side: {report.reason}" + (f", {last.kind}: {last.message}" if last else "")

    def _taken(self, call: Call) -> None:
        self._call = call
        call.on_end(self._ended)

    def _ended(self, report: CallReport) -> None:
        if not self._report.done():
            self._report.set_result(report)


class _LexiconVoice(ScriptedTTS):
    """The caller's mouth."""


@asynccontextmanager
async def dial(
    bot: Bot | ModuleType,
    *,
    stt: STT | None = None,
    llm: LLM | None = None,
    tts: TTS | None = None,
    vad: VADModel | None = None,
    voice: TTS | None = None,
    lexicon: Lexicon | None = None,
    carrier: CarrierOptions | None = None,
    runtime: Runtime | None = None,
    parameters: dict[str, str] | None = None,
    silence: float = 0.8,
) -> AsyncIterator[Dialled]:
    """Call a bot over the real wire protocol and talk to it.

    On a virtual loop everything runs in memory and in virtual time; on an ordinary loop over a socket on loopback,
    in real time.

    Args:
        bot: the function ``bot(call)``, or the module that holds it.
        stt: replaces the bot's recogniser; default: one that hears the caller's artificial speech word for word.
        llm: replaces the bot's model; default: one that says "Okay." to everything. See `script`.
        tts: replaces the bot's voice; default: artificial speech, so that what was heard can be read from the audio.
        vad: replaces the bot's voice activity model; default: energy.
        voice: says what the caller says; default: artificial speech.
        lexicon: shared by artificial speakers and listeners; give your own to use it outside.
        carrier: how the carrier behaves: delays, jitter, lost marks.
        runtime: for phrases and limits of your own. Its providers are left as they are unless you name others here;
            whoever made it closes it, so several calls can share it (then let them share a lexicon too).
        parameters: what the webhook would attach to the stream.
        silence: seconds the agent must be silent to have finished, for `Dialled.hears`.
    """
    answer = getattr(bot, "bot", bot)
    if not callable(answer):
        raise VoiceloopError(f"dial needs the function bot(call) or a module that has one, got {bot!r}")
    lexicon = lexicon or Lexicon()
    own = Runtime(log_events=True) if runtime is None else None
    runtime = runtime or own
    assert runtime is not None
    defaults: dict[type, Any] = {
        STT: ScriptedSTT(lexicon),
        LLM: ScriptedLLM(["Okay."]),
        TTS: ScriptedTTS(lexicon),
        VADModel: EnergyModel(),
    }
    given: dict[type, Any] = {STT: stt, LLM: llm, TTS: tts, VADModel: vad}
    named = {base: provider for base, provider in given.items() if provider is not None}
    for base, provider in named.items():
        if base is not VADModel and not isinstance(provider, base):
            raise TypeError(f"dial({base.__name__.lower()}=…) takes an instance of {base.__name__}, got {provider!r}")
    runtime.substitutes = {**defaults, **runtime.substitutes, **named}
    found: list[Dialled] = []
    early: list[Call] = []

    def taken(call: Call) -> None:
        if found:
            found[0]._taken(call)
        else:
            early.append(call)

    async with own or nullcontext(), serving(media_app(answer, runtime, on_call=taken)) as (url, connector):
        try:
            async with Carrier(url, parameters=parameters, options=carrier, connector=connector) as line:
                dialled = Dialled(line, Caller(line, voice or _LexiconVoice(lexicon), silence=silence), lexicon)
                found.append(dialled)
                for call in early:
                    dialled._taken(call)
                yield dialled
            if dialled._call is not None:
                await dialled.report()
        finally:
            for provider in runtime.substitutes.values():
                if isinstance(failing := getattr(provider, "failing", None), Failing):
                    failing.let_go()
