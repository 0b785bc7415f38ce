"""Dial a bot: a whole phone call, down to the WebSocket messages, inside a test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

from voiceloop.call import Call
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
from voiceloop.testing.book import enter, tests_folder
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.checking import noted, require, swallowing
from voiceloop.testing.dial_bot import bot_of
from voiceloop.testing.dial_entry import Dialling
from voiceloop.testing.dial_given import checked_observers, lexicon_of, require_kinds, substitute
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.reply import BargeIn, Reply
from voiceloop.testing.scripted import ScriptedTTS
from voiceloop.tts.base import TTS
from voiceloop.twilio.media import Bot, media_app
from voiceloop.vad.base import VADModel

__all__ = ["BargeIn", "Dial", "Dialled", "Reply", "dial"]

Dial = Callable[..., AbstractAsyncContextManager[Dialled]]
"""The type of the fixture ``dial``, for tests with annotations: ``async def test_it(dial: Dial) -> None``."""


_STATED = Bounds()


class _LexiconVoice(ScriptedTTS):
    """The caller's mouth."""


def dial(
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
) -> Dialling:
    """Call a bot over the real wire protocol and talk to it.

    On a virtual loop everything runs in memory and in virtual time; on an ordinary loop over a socket on loopback,
    in real time.

    Args:
        bot: the function ``bot(call)``, the module that holds it, or the path of its file: from the present folder, or
            beside the test.
        stt: replaces the bot's recogniser; default: one that hears the caller's artificial speech word for word.
        llm: replaces the bot's model; default: one that says "Okay." to everything. See `script`.
        tts: replaces the bot's voice; default: artificial speech, so that what was heard can be read from the audio.
        vad: replaces the bot's voice activity model; default: energy.
        voice: says what the caller says; default: artificial speech.
        lexicon: shared by artificial speakers and listeners; default: that of the scripted providers given here.
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
        TypeError: an argument is not of its kind, or scripted providers do not share a lexicon; also when the call is
            not entered by ``async with``.
    """
    __tracebackhide__ = True
    given: dict[str, Any] = {"stt": stt, "llm": llm, "tts": tts, "voice": voice}
    line = {"carrier": carrier, "runtime": runtime, "lexicon": lexicon, "parameters": parameters}
    require_kinds({**given, **line, "invariants": invariants})
    beside = [Path(sys._getframe(1).f_code.co_filename).parent, *tests_folder()]
    return Dialling(
        _dial(
            *bot_of(bot, beside),
            given=given,
            vad=vad,
            lexicon=lexicon,
            carrier=carrier,
            runtime=runtime,
            parameters=parameters,
            silence=silence,
            watching=checked_observers(observers),
            record=record,
            invariants=invariants,
        )
    )


@asynccontextmanager
async def _dial(
    answer: Bot,
    name: str,
    *,
    given: dict[str, Any],
    vad: VADModel | None,
    lexicon: Lexicon | None,
    carrier: CarrierOptions | None,
    runtime: Runtime | None,
    parameters: dict[str, str] | None,
    silence: float,
    watching: list[Processor],
    record: FlightOptions | str | PathLike[str] | None,
    invariants: Bounds | None,
) -> AsyncIterator[Dialled]:
    __tracebackhide__ = True
    lexicon = lexicon_of(lexicon, given, runtime.substitutes.values() if runtime is not None else ())
    own = Runtime(log_events=True) if runtime is None else None
    runtime = runtime or own
    assert runtime is not None
    substitute(runtime, lexicon, {STT: given["stt"], LLM: given["llm"], TTS: given["tts"], VADModel: vad})

    def taken(call: Call) -> None:
        for observer in watching:
            call.observe(observer)
        if record is not None:
            call.journal = open_recorder(record, call)
        dialled.take(call)

    async with own or nullcontext(), serving(media_app(answer, runtime, on_call=taken)) as (url, connector):
        line = Carrier(url, parameters=parameters, options=carrier, connector=connector)
        caller = Caller(line, given["voice"] or _LexiconVoice(lexicon), silence=silence)
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
