"""What goes wrong between a caller and an agent: faults that a simulated carrier injects. Data only.

``CarrierOptions(faults=(Late(at=3.0, length=0.5, by=0.3), CutToServer(after=70_000)))``. Times are seconds since the
start of the stream, and are looked at every 20 ms. Each fault can be written as JSON (`as_dict`, `fault_from_dict`)
and drawn by chance (`draw`, `draw_fault`). What was injected, and when, stands in `Carrier.injected`.

What is not here: messages out of order, and the agent's messages lost or doubled. One TCP connection carries a stream,
which keeps order and loses nothing; nothing known of Twilio's says that it numbers messages other than as it sends
them. `Rubbish` has media with old timestamps for those who do not trust that.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from voiceloop.sim.line_rubbish import FATAL, RUBBISH

__all__ = [
    "BY_KIND",
    "Bunched",
    "Closed",
    "CutFromServer",
    "CutToServer",
    "Doubled",
    "HalfOpen",
    "Late",
    "LineEcho",
    "LineFault",
    "Lost",
    "MarksDoubled",
    "MarksEarly",
    "MarksLate",
    "MarksNever",
    "MarksSwapped",
    "NoStop",
    "Noise",
    "Rubbish",
    "Stall",
    "StrayMark",
    "draw_fault",
    "fault_from_dict",
]

Way = Literal["to server", "from server"]
WAYS: Final[tuple[Way, ...]] = ("to server", "from server")
_BYTES_A_SECOND: Final = {"to server": 16_500, "from server": 12_000}  # on the wire; the agent's while it speaks


class _Fault:
    """What all have in common."""

    kind: ClassVar[str]
    """Its name in JSON."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON: its kind and its fields."""
        return {"kind": self.kind, **dataclasses.asdict(self)}  # type: ignore[call-overload]  # all are dataclasses

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not value >= 0 and field.name not in ("level",):
                raise ValueError(f"{type(self).__name__}: expected {field.name} of 0 or more, got {value!r}")
        way = getattr(self, "way", WAYS[0])
        if way not in WAYS:
            raise ValueError(f"{type(self).__name__}: expected way to be one of {', '.join(WAYS)}; got {way!r}")


def _at(random: Random, length: float) -> float:
    return round(random.uniform(0.0, length), 3)


# --- messages on their way --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Late(_Fault):
    """A slow spell of the network: what is sent in a window arrives later. Order is kept, so what follows waits."""

    kind: ClassVar[str] = "late"
    at: float
    """Start of the window, seconds."""
    length: float
    """Of the window, seconds."""
    by: float
    """How much later, seconds."""
    way: Way = "to server"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        window = round(random.uniform(0.05, 2.0), 3)
        return cls(_at(random, length), window, round(random.uniform(0.05, 1.5), 3), random.choice(WAYS))


@dataclass(frozen=True, slots=True)
class Bunched(_Fault):
    """What is sent in a window arrives all at once at its end."""

    kind: ClassVar[str] = "bunched"
    at: float
    """Start of the window, seconds."""
    length: float
    """Of the window, seconds."""
    way: Way = "to server"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(_at(random, length), round(random.uniform(0.05, 1.5), 3), random.choice(WAYS))


@dataclass(frozen=True, slots=True)
class Lost(_Fault):
    """Media messages of the caller are missing."""

    kind: ClassVar[str] = "lost"
    at: float
    """From when on, seconds."""
    count: int
    """Messages, 20 ms of audio each."""
    numbered: bool = True
    """Whether ``sequenceNumber`` and ``chunk`` count them, as when Twilio discards them at a congested socket (31930).
    Otherwise only the timestamps jump, as when they were lost in the telephone network. Which is not documented."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(_at(random, length), random.choice((1, 2, 5, 25, 100)), random.random() < 0.5)


@dataclass(frozen=True, slots=True)
class Doubled(_Fault):
    """Media messages of the caller come twice, to the letter."""

    kind: ClassVar[str] = "doubled"
    at: float
    """From when on, seconds."""
    count: int
    """Messages that do."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(_at(random, length), random.choice((1, 5, 50)))


# --- the connection ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutToServer(_Fault):
    """The connection breaks when the server has been sent so many bytes, also within a WebSocket frame."""

    kind: ClassVar[str] = "cut to server"
    after: int
    """Bytes of WebSocket frames since the handshake."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(random.randrange(max(1, int(length * _BYTES_A_SECOND["to server"]))))


@dataclass(frozen=True, slots=True)
class CutFromServer(_Fault):
    """The connection breaks when the server has sent so many bytes; a message that is not whole by then is lost."""

    kind: ClassVar[str] = "cut from server"
    after: int
    """Bytes of WebSocket frames since the handshake."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(random.randrange(max(1, int(length * _BYTES_A_SECOND["from server"]))))


@dataclass(frozen=True, slots=True)
class Closed(_Fault):
    """The carrier closes the socket, politely, without a ``stop``."""

    kind: ClassVar[str] = "closed"
    at: float
    """When, seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(_at(random, length))


@dataclass(frozen=True, slots=True)
class HalfOpen(_Fault):
    """Nothing is delivered in either direction any more, and nobody is told."""

    kind: ClassVar[str] = "half-open"
    at: float
    """From when on, seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        return cls(_at(random, length))


@dataclass(frozen=True, slots=True)
class NoStop(_Fault):
    """When the caller hangs up, the socket closes without a ``stop`` before."""

    kind: ClassVar[str] = "no stop"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """The one there is."""
        return cls()


@dataclass(frozen=True, slots=True)
class Rubbish(_Fault):
    """A message that the protocol does not allow, or hardly: everything that an outsider can send."""

    kind: ClassVar[str] = "rubbish"
    at: float
    """When, seconds."""
    what: str
    """One of `voiceloop.sim.line_rubbish.RUBBISH`."""
    count: int = 1
    """How many of it, at once."""

    def __post_init__(self) -> None:
        _Fault.__post_init__(self)
        if self.what not in RUBBISH:
            raise ValueError(f"Rubbish: expected one of {', '.join(RUBBISH)}; got {self.what!r}")

    @property
    def fatal(self) -> bool:
        """Whether it breaks the WebSocket protocol, so that the connection cannot live on."""
        return self.what in FATAL

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds."""
        at, what, count = _at(random, length), random.choice(list(RUBBISH)), random.choice((1, 1, 1, 20))
        return cls(at, what, 1 if what.startswith("huge") else count)


# --- marks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Marks(_Fault):
    """Which marks: those set at the carrier are counted from 0."""

    first: int = 0
    """The first one."""
    count: int | None = None
    """How many; None for all from there on."""

    @staticmethod
    def _some(random: Random, length: float) -> tuple[int, int | None]:
        return random.randrange(max(1, int(length))), random.choice((1, 1, 3, None))


@dataclass(frozen=True, slots=True)
class MarksEarly(_Marks):
    """Echoed before their audio has been played."""

    kind: ClassVar[str] = "marks early"
    by: float = 0.2
    """Seconds; not before they are set."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length), round(random.uniform(0.02, 1.0), 3))


@dataclass(frozen=True, slots=True)
class MarksLate(_Marks):
    """Echoed some time after they were due; others may overtake them."""

    kind: ClassVar[str] = "marks late"
    by: float = 0.5
    """Seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length), round(random.uniform(0.02, 5.0), 3))


@dataclass(frozen=True, slots=True)
class MarksNever(_Marks):
    """Never echoed."""

    kind: ClassVar[str] = "marks never"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class MarksDoubled(_Marks):
    """Echoed twice."""

    kind: ClassVar[str] = "marks doubled"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class MarksSwapped(_Marks):
    """Echoed behind the one after them, each; one that none follows is never echoed."""

    kind: ClassVar[str] = "marks swapped"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class StrayMark(_Fault):
    """The echo of a mark that was never set."""

    kind: ClassVar[str] = "stray mark"
    at: float
    """When, seconds."""
    name: str = "never set"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds; its name may be one the agent is yet to use."""
        name = random.choice(("never set", f"end:{random.randrange(9)}", f"f:{random.randrange(9)}", "ü" * 300))
        return cls(_at(random, length), name)


# --- what is heard on the line ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineEcho(_Fault):
    """The agent's own voice comes back in the caller's audio."""

    kind: ClassVar[str] = "line echo"
    delay: float = 0.15
    """From the caller's ear back into the line, seconds; 50-400 ms are usual."""
    level: float = -25.0
    """Of the echo against the voice, dB."""
    at: float = 0.0
    """From when on, seconds."""
    length: float | None = None
    """For how long, seconds; None for the rest of the call."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """For the whole call or a part of it."""
        at, part = (0.0, None) if random.random() < 0.5 else (_at(random, length), round(random.uniform(1, 10), 3))
        return cls(round(random.uniform(0.05, 0.4), 3), round(random.uniform(-40, -10), 1), at, part)


@dataclass(frozen=True, slots=True)
class Noise(_Fault):
    """Noise in the caller's audio: white, evenly distributed."""

    kind: ClassVar[str] = "noise"
    level: float = -50.0
    """RMS, dBFS."""
    at: float = 0.0
    """From when on, seconds."""
    length: float | None = None
    """For how long, seconds; None for the rest of the call."""
    seed: int = 0

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """For the whole call or a part of it."""
        at, part = (0.0, None) if random.random() < 0.5 else (_at(random, length), round(random.uniform(1, 10), 3))
        return cls(round(random.uniform(-65, -30), 1), at, part, random.randrange(1000))


# --- the process ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stall(_Fault):
    """The agent's process stands still. The carrier and the caller do not: they are elsewhere."""

    kind: ClassVar[str] = "stall"
    at: float
    """When, seconds; to the moment, not every 20 ms."""
    seconds: float

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One of 50-500 ms, somewhere in a call of that many seconds."""
        return cls(_at(random, length), round(random.uniform(0.05, 0.5), 3))


LineFault: TypeAlias = (
    Late
    | Bunched
    | Lost
    | Doubled
    | CutToServer
    | CutFromServer
    | Closed
    | HalfOpen
    | NoStop
    | Rubbish
    | MarksEarly
    | MarksLate
    | MarksNever
    | MarksDoubled
    | MarksSwapped
    | StrayMark
    | LineEcho
    | Noise
    | Stall
)
"""Any of them."""

BY_KIND: Final[dict[str, type[LineFault]]] = {
    fault.kind: fault
    for fault in (
        *(Late, Bunched, Lost, Doubled, CutToServer, CutFromServer, Closed, HalfOpen, NoStop, Rubbish),
        *(MarksEarly, MarksLate, MarksNever, MarksDoubled, MarksSwapped, StrayMark, LineEcho, Noise, Stall),
    )
}
"""The faults by their names in JSON."""


def draw_fault(random: Random, length: float, kinds: tuple[str, ...] = tuple(BY_KIND)) -> LineFault:
    """A fault of one of these kinds, each as likely as the others, for a call of that many seconds."""
    return BY_KIND[random.choice(kinds)].draw(random, length)


def fault_from_dict(data: dict[str, Any]) -> LineFault:
    """The fault that `as_dict` wrote.

    Raises:
        ValueError: there is no such kind, or it has no such field or value.
    """
    values = dict(data)
    kind = values.pop("kind", None)
    if kind not in BY_KIND:
        raise ValueError(f"expected a fault of kind {', '.join(BY_KIND)}; got {kind!r}")
    try:
        return BY_KIND[kind](**values)
    except TypeError as error:
        fields = ", ".join(field.name for field in dataclasses.fields(BY_KIND[kind]))
        raise ValueError(f"a fault of kind {kind!r} has the fields {fields}: {error}") from None
