"""What the faults of a line have in common. Data only."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any, ClassVar, Final, Literal

__all__ = ["WAYS", "Fault", "Way", "moment"]

Way = Literal["to server", "from server"]
WAYS: Final[tuple[Way, ...]] = ("to server", "from server")


class Fault:
    """What all have in common."""

    __slots__ = ()

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


def moment(random: Random, length: float) -> float:
    """Some time in a call of that many seconds."""
    return round(random.uniform(0.0, length), 3)
