"""What is given out of several recognisers: words as of one, and the name of whoever has understood them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from voiceloop.fallback.request import Request
from voiceloop.fallback.segments import Numbering, Segments
from voiceloop.fallback.tape import Lane
from voiceloop.frames import Transcript
from voiceloop.served import Served
from voiceloop.stt.base import Flush

__all__ = ["Heard", "Run", "Telling"]

Heard = Transcript | Flush | Served


@dataclass(slots=True, eq=False)
class Run:
    """A recogniser at work."""

    place: int
    request: Request[Heard]
    lane: Lane
    since: float
    trial: bool = False
    """It is tried again after a failure, and another one hears the same."""
    numbering: Numbering = field(default_factory=Numbering)
    held: dict[int, Transcript] = field(default_factory=dict)
    """What it understood since all was settled, while another one serves."""
    answered: list[Flush] = field(default_factory=list)
    """Flushes that it answered meanwhile."""
    done: bool = False
    """It has answered for everything to the end."""
    named: Served | None = None


class Telling:
    """Gathers it.

    Args:
        names: of the recognisers.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.out: deque[Heard] = deque()
        """What is to be given out."""
        self._names = names
        self._segments = Segments()
        self._speaker: Run | None = None  # whose words the last ones were
        self._instead = ("", "")

    def instead_of(self, name: str, why: str = "") -> None:
        """Who speaks next stands in for that one; with an empty name, for nobody."""
        self._instead = (name, why)

    def failed(self, run: Run, why: str) -> None:
        """Who speaks next stands in for this one, if it was the one that spoke, or the first to fail."""
        if run is self._speaker or not self._instead[0]:
            self._instead = (self._names[run.place], why)

    def tell(self, run: Run, transcript: Transcript) -> None:
        """Words."""
        self._speaks(run)
        self.out.append(self._segments.hear(run.numbering, transcript))

    def settle(self, run: Run) -> None:
        """It has answered for all so far."""
        self._speaks(run)
        self.out.extend(self._segments.settle(run.numbering))

    def finish(self, run: Run) -> None:
        """Nothing more will be understood."""
        told = self._segments.settle(run.numbering)
        if told:
            self._speaks(run)
            self.out.extend(told)

    def _speaks(self, run: Run) -> None:
        """The next words are its own."""
        if self._speaker is run:
            return
        if self._speaker is not None:
            self.out.extend(self._segments.taken_over())
        self._speaker = run
        name, instead, why = self._names[run.place], *self._instead
        if run.named is not None:
            name, instead, why = run.named.name, run.named.instead_of or instead, run.named.why or why
        self.out.append(Served(name, instead, why) if instead != name else Served(name))
