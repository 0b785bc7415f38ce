"""What `dial` is given in the place of a bot's own: whether it is of its kind, and who understands whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voiceloop.llm.base import LLM
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.base import TTS
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

__all__ = ["checked_observers", "lexicon_of", "require_kinds", "substitute"]

_KINDS: dict[str, type] = {
    "stt": STT,
    "llm": LLM,
    "tts": TTS,
    "voice": TTS,
    "carrier": CarrierOptions,
    "runtime": Runtime,
    "lexicon": Lexicon,
    "parameters": Mapping,
    "invariants": Bounds,
}
_ROLES = {"stt": "recogniser", "tts": "voice", "voice": "caller's voice"}


def require_kinds(given: Mapping[str, object]) -> None:
    """Raises `TypeError` for an argument that is not of its kind; None is of every kind."""
    __tracebackhide__ = True
    for name, value in given.items():
        kind = _KINDS[name]
        if value is not None and not isinstance(value, kind):
            called = "a dict" if kind is Mapping else f"an instance of {kind.__name__}"
            raise TypeError(f"dial({name}=…) takes {called}, got {value!r}.{_hint(name, kind, value)}")


def _hint(name: str, kind: type, value: object) -> str:
    if isinstance(value, type):
        return f" Did you mean {value.__name__}(…)?"
    if name == "llm" and isinstance(value, str):
        return f' Write llm=script("{value}")'
    if name == "carrier" and isinstance(value, dict):
        return f" Write carrier=CarrierOptions({', '.join(f'{key}={each!r}' for key, each in value.items())})"
    if name == "invariants":
        return " Write invariants=None to have none looked at"
    return ""


def checked_observers(observers: Iterable[Processor]) -> list[Processor]:
    """Raises `TypeError` for what is no instance of `Processor`."""
    __tracebackhide__ = True
    found = list(observers)
    for observer in found:
        if not isinstance(observer, Processor):
            raise TypeError(f"dial(observers=[…]) takes instances of Processor, got {observer!r}")
    return found


def lexicon_of(given: Lexicon | None, providers: Mapping[str, object], kept: Iterable[object] = ()) -> Lexicon:
    """The lexicon of a call: the one that is given, else the one that the scripted providers share, else a new one.

    Args:
        given: by the test.
        providers: given by the test, by their argument's name.
        kept: what the runtime has from calls before.

    Raises:
        TypeError: a provider has another; it would understand nobody, or nobody would understand it.
    """
    __tracebackhide__ = True
    own = {name: found for name, each in providers.items() if (found := _lexicon_in(each)) is not None}
    if given is None and len({id(each) for each in own.values()}) > 1:
        names = ", ".join(f"{name}=…" for name in own)
        raise TypeError(
            f"dial({names}): each has another Lexicon, and they would not understand each other: make one, and give "
            f"it to all of them"
        )
    for name, each in own.items():
        if given is not None and each is not given:
            raise TypeError(
                f"dial({name}=…): this {_ROLES[name]} has another Lexicon: give dial(lexicon=…) the same, or leave "
                f"lexicon= out"
            )
    candidates = [given, *own.values(), *map(_lexicon_in, kept)]
    return next((each for each in candidates if each is not None), None) or Lexicon()


def _lexicon_in(provider: object) -> Lexicon | None:
    while (inner := getattr(provider, "inner", None)) is not None:
        provider = inner
    found = getattr(provider, "_lexicon", None)
    return found if isinstance(found, Lexicon) else None


def substitute(runtime: Runtime, lexicon: Lexicon, given: dict[type, Any]) -> None:
    """Have providers stand in for the bot's: those that were given, else what the runtime has, else scripted ones."""
    defaults: dict[type, Any] = {
        STT: ScriptedSTT(lexicon),
        LLM: ScriptedLLM(["Okay."]),
        TTS: ScriptedTTS(lexicon),
        VADModel: EnergyModel(),
    }
    named = {base: provider for base, provider in given.items() if provider is not None}
    runtime.substitutes = {**defaults, **runtime.substitutes, **named}
