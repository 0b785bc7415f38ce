"""What goes wrong: an item around each of the faults that lines, providers and code can be given."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from voiceloop.sim import line_faults
from voiceloop.testing import faulty
from voiceloop.testing.chaos.items import Item, simpler_numbers

if TYPE_CHECKING:
    from voiceloop.testing.chaos.scene import Scene

__all__ = ["Breaks", "CodeBreaks", "LineBreaks", "ProcessStalls", "ProviderBreaks"]

_SIMPLEST: Final = {
    **{"at": 1.0, "length": 0.1, "by": 0.05, "seconds": 0.05, "delay": 0.1},
    **{"after": 0, "count": 1, "first": 0, "request": 0, "number": 0, "seed": 0},
}
"""What the numbers of a fault are made simpler towards, by their names."""


@dataclass(frozen=True, slots=True)
class Breaks(Item):
    """Something goes wrong."""

    fault: Any
    """A frozen dataclass with `as_dict`."""

    def simpler(self) -> Iterator[Self]:
        for each in fields(self.fault):
            value = getattr(self.fault, each.name)
            if each.name not in _SIMPLEST or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            for near in simpler_numbers(value, _SIMPLEST[each.name]):
                try:
                    yield dataclasses.replace(self, fault=dataclasses.replace(self.fault, **{each.name: near}))
                except ValueError:
                    continue

    def _values(self) -> dict[str, Any]:
        return {"fault": self.fault.as_dict()}

    def _numbers(self, *leave: str) -> str:
        """The fault's fields that are not as they are by default."""
        told = [
            f"{each.name.replace('_', ' ')} {value}"
            for each in fields(self.fault)
            if each.name not in leave and (value := getattr(self.fault, each.name)) != each.default and value != ""
        ]
        return f" ({', '.join(told)})" if told else ""


@dataclass(frozen=True, slots=True)
class LineBreaks(Breaks):
    """Something goes wrong with the line."""

    kind: ClassVar[str] = "line breaks"
    group: ClassVar[str] = "line"

    @classmethod
    def of_values(cls, number: int, values: Mapping[str, Any]) -> Self:
        return cls(number, line_faults.fault_from_dict(dict(values["fault"])))

    def __str__(self) -> str:
        return f"line: {self.fault.kind}{self._numbers()}"

    def join(self, scene: Scene) -> None:
        scene.line_faults.append(self.fault)


@dataclass(frozen=True, slots=True)
class ProcessStalls(LineBreaks):
    """The process stands still while the world goes on."""

    kind: ClassVar[str] = "process stalls"
    group: ClassVar[str] = "stall"

    def __str__(self) -> str:
        return f"process: stands still for {self.fault.seconds:g} s at {self.fault.at:g} s"


@dataclass(frozen=True, slots=True)
class ProviderBreaks(Breaks):
    """Something goes wrong at a provider."""

    kind: ClassVar[str] = "provider breaks"
    group: ClassVar[str] = "provider"

    @classmethod
    def of_values(cls, number: int, values: Mapping[str, Any]) -> Self:
        return cls(number, faulty.fault_from_dict(values["fault"]))

    def __str__(self) -> str:
        names = {"stt": "recogniser", "llm": "model", "tts": "voice"}
        which = "every request" if self.fault.request is None else f"request {self.fault.request}"
        return f"{names[self.fault.of]}, {which}: {self.fault.what}{self._numbers('what', 'request')}"

    def join(self, scene: Scene) -> None:
        scene.provider_faults[self.fault.of].append(self.fault)


@dataclass(frozen=True, slots=True)
class CodeBreaks(Breaks):
    """Something goes wrong in a handler or a tool."""

    kind: ClassVar[str] = "code breaks"
    group: ClassVar[str] = "code"

    @classmethod
    def of_values(cls, number: int, values: Mapping[str, Any]) -> Self:
        return cls(number, faulty.fault_from_dict(values["fault"]))

    def __str__(self) -> str:
        fault = self.fault
        name = ".".join(filter(None, (getattr(fault, "processor", ""), getattr(fault, "handler", ""))))
        name = name or getattr(fault, "tool", "") or "any"
        which = "each time" if fault.number is None else f"time no. {fault.number}"
        return (
            f"{fault.of} {name}, {which}: {fault.what}{self._numbers('what', 'number', 'processor', 'handler', 'tool')}"
        )

    def join(self, scene: Scene) -> None:
        scene.code_faults.append(self.fault)
