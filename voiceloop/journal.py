"""What may stand at the gate of a call: one that writes down everything that enters it, or drives it from such a file.

A call is deterministic but for what comes from outside: the time, messages of the carrier, items of providers,
results of tools, and the order in which the event loop lets its tasks and timers run. Every one of these passes a
method of the call's `Journal`. A call without one pays nothing but a look whether there is one.

`voiceloop.flight.recorder.FlightRecorder` writes them down; `voiceloop.replay` gives them back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from voiceloop.registry import TaskJournal

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.processor import Processor
    from voiceloop.report import CallReport
    from voiceloop.runtime import Canned

__all__ = ["Journal", "Judged", "from_outside"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
C = TypeVar("C", bound="_Journalled")


Judged = Callable[[float, Exception | None], None]
"""Takes how likely a window of audio held speech; or NaN, and why the model could not say."""


class Journal(TaskJournal, Protocol):
    """The gate. Times are seconds on the loop's clock."""

    inside: bool
    """Whether the call's own code runs: one of its tasks, timers or ends of tasks."""

    def observers(self) -> Sequence[Processor]:
        """Processors that stand behind the pipeline for it."""

    def began(self, call: Call, processors: Sequence[Processor]) -> None:
        """The call is about to run."""

    def now(self) -> float:
        """The time as the call sees it. It stands still while the call's own code runs."""

    def item(self, kind: str, item: object) -> None:
        """A provider (``stt``, ``llm``, ``tts``) gives something."""

    def message(self, message: str | bytes, take: Callable[[str | bytes], None]) -> None:
        """A message of the carrier has come: have it taken."""

    def inbound(self, message: str | bytes, event: object) -> None:
        """What it says; None for one that says nothing, or that was refused."""

    def sent(self, kind: str, detail: str | bytes) -> None:
        """A message for the carrier: ``media`` with its audio, ``mark`` with its name, ``clear``."""

    def ended(self, kind: str, failure: tuple[str, str] | None) -> None:
        """A provider has given all; or failed: the type of its error and what that said."""

    def requested(self, kind: str, request: Mapping[str, Any]) -> None:
        """What a provider is asked, as plain values."""

    async def asked(self, number: int) -> None:
        """The voice asks for more text of its request of that number; see `number`."""

    async def took(self, number: int) -> None:
        """It has got some."""

    def number(self, kind: str) -> int:
        """A new number for a thing of a kind, from 0."""

    # --- what runs ---

    async def moment(self, name: str, act: Callable[[], T]) -> T:
        """Act now: the call's life goes on, outside of any of its tasks."""

    def outside(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], act: Callable[[], R]) -> R:
        """Somebody who is no part of the call does something to it."""

    # --- what comes from outside and is awaited or asked for ---

    def canned(self, text: str, found: Canned | None) -> Canned | None:
        """Whether a text was rendered ahead."""

    def probability(self, value: Callable[[bytes], float], window: bytes) -> float:
        """What the model of voice activity says of a window of audio; NaN: it says so later."""

    def judging(self, take: Judged) -> Judged:
        """A stage waits for what a model says later of windows of audio, and takes it by this. Returns what the model
        is to tell it to."""

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Something outside is waited for: that a provider is ready, that work off the loop is done."""

    async def tool(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """The `voiceloop.tools.run.Outcome` of a tool."""

    async def hand_over(self, step: Callable[[], Awaitable[None]]) -> None:
        """The carrier is asked to take the call away."""

    def close(self, report: CallReport) -> None:
        """The call is over."""


class _Journalled(Protocol):
    journal: Journal | None


def from_outside(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """For a method of a call: told to its journal when somebody calls it who is no part of the call."""

    @wraps(method)
    def act(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        journal = self.journal
        if journal is None or journal.inside:
            return method(self, *args, **kwargs)
        told = tuple(fspath(each) if isinstance(each, PathLike) else each for each in args)
        return journal.outside(method.__name__, told, kwargs, lambda: method(self, *args, **kwargs))

    return act
