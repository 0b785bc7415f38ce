"""What all calls of a process share: warmed providers, canned speech, options."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from voiceloop.faults import FaultPolicy
from voiceloop.frames import Word
from voiceloop.offload import offload
from voiceloop.pacing_gauge import PacingGauge
from voiceloop.prices import Prices
from voiceloop.sounds import Sounds

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.journal import Journal

__all__ = ["Canned", "Limits", "Runtime"]

log = logging.getLogger("voiceloop")

P = TypeVar("P")


class Provider(Protocol):
    """What the runtime asks of any provider."""

    async def warm(self) -> None: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call waits for things, in seconds."""

    start: float = 10.0
    """For all processors to start."""
    stop: float = 3.0
    """For each processor to stop."""
    close: float = 3.0
    """For cancelled tasks to end before they are abandoned."""
    hang_up: float = 60.0
    """For the last words to be heard before a hang-up happens anyway."""


@dataclass(frozen=True, slots=True)
class Canned:
    """Speech that was rendered ahead."""

    audio: bytes
    """Mu-law, 8000 Hz, mono."""
    words: tuple[Word, ...] = ()
    """What it says, with times from its first sample; empty for a voice without word times."""


@dataclass
class Runtime:
    """One per event loop. Calls borrow from it.

    Args:
        substitutes: providers that stand in for those a bot names, by base class: ``{STT: my_scripted_stt}``. The
            test harness uses it; a bot need not know.
        limits: waits of a call.
        faults: how many failures a call survives.
        log_events: keep a log of every wake-up of every call (see `voiceloop.eventlog`).
        prices: of what the providers use, for the cost in every call's report.
        record: where each call leaves a flight recording: a folder, or `voiceloop.flight.FlightOptions`.
        console: print one line for each finished turn to standard error. The logger ``voiceloop.turns`` gets it anyway.
    """

    substitutes: dict[type, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    faults: FaultPolicy = field(default_factory=FaultPolicy)
    log_events: bool = False
    console: bool = False
    prices: Prices | None = None
    record: Any = None

    def __post_init__(self) -> None:
        self._warm: dict[int, tuple[Provider, asyncio.Future[None]]] = {}
        self._canned: dict[tuple[int, str], Canned] = {}
        self.sounds = Sounds()
        """Files that calls play, decoded. ``await runtime.sounds.load("welcome.wav")`` decodes one ahead."""
        self.pacing = PacingGauge()
        """How late the audio of all calls leaves."""

    def share(self, other: Runtime) -> None:
        """Have what another runtime has warmed and rendered, and give it what this one will."""
        self._warm, self._canned, self.sounds = other._warm, other._canned, other.sounds
        self.pacing = other.pacing

    def provider(self, base: type, named: P) -> P:
        """The provider of a kind, given by its base class, to use where a bot names this one."""
        return self.substitutes.get(base, named)  # type: ignore[no-any-return]

    async def warm(self, provider: Provider) -> None:
        """Warm a provider once, however many calls ask. A failure is raised to each of them, and tried again later."""
        known = self._warm.get(id(provider))
        if known is None:
            # Not in the context of the call that asks first: what is shared is logged for nobody.
            task = asyncio.get_running_loop().create_task(provider.warm(), context=Context())
            self._warm[id(provider)] = known = (provider, task)
            task.add_done_callback(lambda done: self._warmed(provider, done))
        await asyncio.shield(known[1])

    def _warmed(self, provider: Provider, task: asyncio.Future[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._warm.pop(id(provider), None)

    def journal(self, call: Call) -> Journal | None:
        """What writes this call down; None when it is not recorded."""
        if self.record is None:
            return None
        # By its name: the recorder knows providers and carriers, and the engine knows none of them.
        opened: Journal | None = import_module("voiceloop.flight.recorder").open_recorder(self.record, call)
        return opened

    def canned(self, voice: object, text: str) -> Canned | None:
        """Speech rendered ahead. None when this voice has not spoken this text yet."""
        return self._canned.get((id(voice), text))

    async def render(self, voice: object, text: str, speak: Callable[[str], Awaitable[Canned]]) -> Canned:
        """Speak a fixed text once and keep the audio for all later calls. The runtime must outlive the voice."""
        key = (id(voice), text)
        if key not in self._canned:
            self._canned[key] = await speak(text)
        return self._canned[key]

    def forget(self, provider: object) -> asyncio.Future[None] | None:
        """Keep nothing of a provider that was one call's own. Gives its warming, for whoever closes it to end."""
        for key in [key for key in self._canned if key[0] == id(provider)]:
            del self._canned[key]
        known = self._warm.pop(id(provider), None)
        return None if known is None else known[1]

    offload = staticmethod(offload)

    async def aclose(self) -> None:
        """Close every provider that was warmed."""
        warmed, self._warm = list(self._warm.values()), {}
        self._canned.clear()
        self.sounds.close()
        for provider, task in warmed:
            task.cancel()
            try:
                async with asyncio.timeout(self.limits.stop):
                    await provider.aclose()
            except Exception as error:
                log.warning("closing %s failed: %s", type(provider).__name__, error)

    async def __aenter__(self) -> Runtime:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
