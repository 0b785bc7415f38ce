"""Dial a bot: a whole phone call, down to the WebSocket messages, inside a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import Any

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.flight.options import FlightOptions
from voiceloop.flight.recorder import open_recorder
from voiceloop.llm.base import LLM
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.stt.base import STT
from voiceloop.testing.book import enter
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.checking import noted, require, swallowing
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.reply import BargeIn, Reply
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.base import TTS
from voiceloop.twilio.media import Bot, media_app
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

__all__ = ["BargeIn", "Dial", "Dialled", "Reply", "dial"]

Dial = Callable[..., AbstractAsyncContextManager[Dialled]]
"""The type of the fixture ``dial``, for tests with annotations: ``async def test_it(dial: Dial) -> None``."""


_STATED = Bounds()


class _LexiconVoice(ScriptedTTS):
    """The caller's mouth."""


@asynccontextmanager
async def dial(
    bot: Bot | ModuleType | str | PathLike[str],
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
    observers: Iterable[Processor] = (),
    record: FlightOptions | str | PathLike[str] | None = None,
    invariants: Bounds | None = _STATED,
) -> AsyncIterator[Dialled]:
    """Call a bot over the real wire protocol and talk to it.

    On a virtual loop everything runs in memory and in virtual time; on an ordinary loop over a socket on loopback,
    in real time.

    Args:
        bot: the function ``bot(call)``, the module that holds it, or the path of its file.
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
        observers: processors of your own that stand behind the pipeline (see `Call.observe`), for this one call.
        record: where to leave a flight recording of the call, to be replayed; see `voiceloop.flight`.
        invariants: what must hold of every call is looked at when the block has ended without an error; give other
            `Bounds` to loosen it, None to leave it. See `voiceloop.testing.invariants`.

    Raises:
        BrokenInvariants: something that must hold of every call did not.
        VoiceloopError: `bot` is none.
        TypeError: a provider is not of its kind.
    """
    answer, name = _bot_of(bot)
    lexicon = lexicon or Lexicon()
    own = Runtime(log_events=True) if runtime is None else None
    runtime = runtime or own
    assert runtime is not None
    _substitute(runtime, lexicon, {STT: stt, LLM: llm, TTS: tts, VADModel: vad})
    watching = _observers(observers)

    def taken(call: Call) -> None:
        for observer in watching:
            call.observe(observer)
        if record is not None:
            call.journal = open_recorder(record, call)
        dialled.take(call)

    async with own or nullcontext(), serving(media_app(answer, runtime, on_call=taken)) as (url, connector):
        line = Carrier(url, parameters=parameters, options=carrier, connector=connector)
        caller = Caller(line, voice or _LexiconVoice(lexicon), silence=silence)
        dialled = Dialled(line, caller, lexicon, name=name)
        enter(dialled)
        try:
            async with line:
                try:
                    yield dialled
                except BaseException:
                    dialled.leave(asyncio.get_running_loop().time())
                    raise
            if dialled.taken:
                await dialled.report()
        finally:
            substitutes = runtime.substitutes
            dialled.injected += [*noted(substitutes.values(), dialled), *swallowing(substitutes, dialled)]
            for provider in substitutes.values():
                if callable(let_go := getattr(provider, "let_go", None)):
                    let_go()  # what swallows cancellation
    if invariants is not None and dialled.taken:
        require(dialled, invariants)


def _substitute(runtime: Runtime, lexicon: Lexicon, given: dict[type, Any]) -> None:
    """Have providers stand in for the bot's: those that were given, else what the runtime has, else scripted ones."""
    named = {base: provider for base, provider in given.items() if provider is not None}
    for base, provider in named.items():
        if base is not VADModel and not isinstance(provider, base):
            hint = f" Did you mean {provider.__name__}(…)?" if isinstance(provider, type) else ""
            raise TypeError(
                f"dial({base.__name__.lower()}=…) takes an instance of {base.__name__}, got {provider!r}.{hint}"
            )
    defaults: dict[type, Any] = {
        STT: ScriptedSTT(lexicon),
        LLM: ScriptedLLM(["Okay."]),
        TTS: ScriptedTTS(lexicon),
        VADModel: EnergyModel(),
    }
    runtime.substitutes = {**defaults, **runtime.substitutes, **named}


def _observers(observers: Iterable[Processor]) -> list[Processor]:
    found = list(observers)
    for observer in found:
        if not isinstance(observer, Processor):
            raise TypeError(f"dial(observers=[…]) takes instances of Processor, got {observer!r}")
    return found


def _bot_of(given: object) -> tuple[Bot, str]:
    """The function ``bot(call)``, and what people call it."""
    if isinstance(given, str | PathLike):
        given = _loaded(str(Path(fspath(given)).resolve()))
    answer = getattr(given, "bot", given)
    if not callable(answer):
        raise VoiceloopError(
            f"dial needs the function bot(call), a module that has one, or the path of its file, got {given!r}"
        )
    home = given.__name__ if isinstance(given, ModuleType) else getattr(answer, "__module__", "")
    name = getattr(answer, "__qualname__", type(answer).__name__).rpartition(".")[2]
    shown = home.rpartition(".")[2].removeprefix("voiceloop_bot_")
    return answer, shown if name == "bot" and shown else name


@cache
def _loaded(path: str) -> ModuleType:
    """A bot file, loaded once: what it builds is shared by all calls, as when it is served."""
    from voiceloop.cli.load import load_bot

    return load_bot(path)
