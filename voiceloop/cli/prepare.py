"""What happens before a bot takes its first call: its providers are warmed, and it is rehearsed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.rehearsal import REHEARSAL, rehearse
from voiceloop.runtime import Runtime
from voiceloop.weights import ALL, available

__all__ = ["loading_note", "prepare", "providers"]


def loading_note() -> str:
    """What a person is told before the models load: that it takes time, and what may be fetched."""
    missing = [weights for weights in ALL if not available(weights)]
    if not missing:
        return "Loading the models."
    megabytes = sum(weights.wheel_size for weights in missing) / 1e6
    return f"Loading the models. What is not in the cache is fetched once: at most {megabytes:.0f} MB."


def providers(module: ModuleType) -> list[Any]:
    """The providers a bot file builds once per process: whatever can be warmed and closed."""
    return [
        value
        for value in vars(module).values()
        if not isinstance(value, type) and callable(getattr(value, "warm", None)) and hasattr(value, "aclose")
    ]


async def prepare(module: ModuleType, runtime: Runtime) -> None:
    """Warm what a bot file has built and what stands in for it, then rehearse the bot: nobody waits in the first call.

    A provider that a substitute stands in for is not warmed: its model may be large.

    Raises:
        VoiceloopError: a provider cannot be warmed, ``bot(call)`` raises, or its pipeline fails without a caller.
    """
    replaced = tuple(runtime.substitutes)
    for provider in providers(module):
        if not isinstance(provider, replaced):
            await runtime.warm(provider)
    for provider in runtime.substitutes.values():
        if callable(getattr(provider, "warm", None)):
            await runtime.warm(provider)
    try:
        rehearsal = await rehearse(module.bot, runtime)
    except VoiceloopError:
        raise
    except Exception as error:
        raise VoiceloopError(f"bot(call) raised {describe(error)[0]}") from error
    if rehearsal.reason != REHEARSAL:
        raise VoiceloopError("; ".join(f"{fault.kind}: {fault.message}" for fault in rehearsal.faults))
