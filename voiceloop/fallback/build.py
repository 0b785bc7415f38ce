"""`Fallback`: makes of several providers of a kind one of that kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from voiceloop.errors import VoiceloopError
from voiceloop.fallback.llm import FallbackLLM
from voiceloop.fallback.options import FallbackOptions
from voiceloop.fallback.stt import FallbackSTT
from voiceloop.fallback.tts import FallbackTTS
from voiceloop.llm.base import LLM
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS

__all__ = ["Fallback"]

_KINDS: tuple[tuple[type, type], ...] = ((STT, FallbackSTT), (LLM, FallbackLLM), (TTS, FallbackTTS))


@overload
def Fallback(providers: Sequence[STT], options: FallbackOptions | None = None) -> FallbackSTT: ...
@overload
def Fallback(providers: Sequence[LLM], options: FallbackOptions | None = None) -> FallbackLLM: ...
@overload
def Fallback(providers: Sequence[TTS], options: FallbackOptions | None = None) -> FallbackTTS: ...
def Fallback(providers: Sequence[Any], options: FallbackOptions | None = None) -> Any:
    """Several recognisers, models or voices as one, which goes on when one of them fails.

    The first that is well serves. When it raises, stalls or gives nothing, another one takes over where it stood, in
    the middle of an utterance or an answer. It is tried again after a rest.

    Args:
        providers: instances of one kind, the best first.
        options: how long to wait.

    Raises:
        VoiceloopError: the list is empty, or its members are of several kinds.
        TypeError: one of them is no provider.
    """
    if isinstance(providers, STT | LLM | TTS) or not isinstance(providers, Sequence):
        raise TypeError(f"Fallback takes a list of providers, the best first; got {providers!r}")
    if not providers:
        raise VoiceloopError("Fallback needs at least one provider, got an empty list")
    kinds = [_kind(provider) for provider in providers]
    if len(set(kinds)) > 1:
        found = ", ".join(
            f"{type(each).__name__} ({kind.__name__})" for each, kind in zip(providers, kinds, strict=True)
        )
        raise VoiceloopError(f"Fallback takes providers of one kind, all STT, all LLM or all TTS; got {found}")
    if len({id(provider) for provider in providers}) < len(providers):
        raise VoiceloopError("the same provider stands in the list twice: it cannot stand in for itself")
    return next(made for kind, made in _KINDS if kind is kinds[0])(tuple(providers), options)


def _kind(provider: Any) -> type:
    for kind, _ in _KINDS:
        if isinstance(provider, kind):
            return kind
    what = provider.__qualname__ if isinstance(provider, type) else repr(provider)
    hint = f" Did you mean {what}()?" if isinstance(provider, type) else ""
    raise TypeError(f"Fallback takes instances of STT, LLM or TTS, got {what}.{hint}")
