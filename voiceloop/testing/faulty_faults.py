"""What can go wrong at a provider, a tool or a handler: plain data that can be drawn, listed and kept as JSON."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Self

__all__ = [
    "CODE_FAULTS",
    "PROVIDER_FAULTS",
    "Fault",
    "HandlerFault",
    "Injected",
    "LLMFault",
    "STTFault",
    "TTSFault",
    "ToolFault",
    "fault_from_dict",
]

COMMON = {
    "late": "one pause of `seconds` before item `after`",
    "slow": "a pause of `seconds` before item `after` and every one behind it",
    "stalled": "nothing more comes; it can be cancelled",
    "deaf": "nothing more comes, and cancellation is swallowed for `seconds`, or until it is let go when that is 0",
    "cut": "the connection breaks",
    "ended": "it ends as if all had been given",
    "cancelled": "something within it is cancelled, and that comes out of it",
    "rate limited": "refused at once, as the library's own provider of a service does it; asks to wait `seconds`",
}
"""What happens to every kind of provider."""


@dataclass(slots=True, frozen=True)
class Fault:
    """Something that goes wrong once, or again and again."""

    of: ClassVar[str] = ""
    """What it happens to: ``stt``, ``llm``, ``tts``, ``tool`` or ``handler``."""
    WHATS: ClassVar[dict[str, str]] = {}
    """Everything that can go wrong there, and what it is."""

    what: str
    """One of `WHATS`."""
    seconds: float = 0.0
    """How long, where it takes long."""

    def __post_init__(self) -> None:
        if self.what not in self.WHATS:
            raise ValueError(f"a fault of {self.of} is one of {', '.join(self.WHATS)}; got {self.what!r}")
        if not 0.0 <= self.seconds < float("inf"):
            raise ValueError(f"seconds of a fault must be a number and not negative, got {self.seconds}")

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"of": self.of, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The fault that `as_dict` made this of.

        Raises:
            ValueError: it is none of this class.
        """
        given = dict(values)
        if given.pop("of", cls.of) != cls.of:
            raise ValueError(f"expected a fault of {cls.of}, got one of {values['of']!r}")
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(f"not a fault of {cls.of}: {error}") from None


@dataclass(slots=True, frozen=True)
class ProviderFault(Fault):
    """Something that goes wrong at a provider."""

    request: int | None = 0
    """Which request, counted from 0; None: all of them."""
    after: int = 0
    """How many items of that request are given first: transcripts, pieces of text and tool calls, pieces of voice. A
    request with fewer items goes well."""

    longest: ClassVar[float] = 8.0
    """Seconds, as they are drawn."""

    def __post_init__(self) -> None:
        super(ProviderFault, self).__post_init__()
        if self.after < 0 or (self.request is not None and self.request < 0):
            raise ValueError(f"requests and items are counted from 0, got {self}")

    @classmethod
    def draw(cls, draw: random.Random, *, requests: int = 6, what: str | None = None) -> Self:
        """Any fault.

        Args:
            draw: where chance comes from.
            requests: it happens to one of so many, or, now and then, to all.
            what: one of `WHATS`, when that is not left to chance.
        """
        what = what or draw.choice(list(cls.WHATS))
        request = None if draw.random() < 0.1 else draw.randrange(requests)
        after = draw.choice((0, 0, 1, 2, 4, 8))
        seconds = round(draw.uniform(0.05, 1.0) if what == "slow" else draw.uniform(0.1, cls.longest), 2)
        return cls(what, seconds, request, after)


@dataclass(slots=True, frozen=True)
class STTFault(ProviderFault):
    """Something that goes wrong at a recogniser. Its items are transcripts."""

    of: ClassVar[str] = "stt"
    WHATS: ClassVar[dict[str, str]] = {
        **COMMON,
        "empty transcript": "transcripts without words",
        "garbage": "transcripts of control characters and signs",
        "old utterance": "before its own words it gives the last ones of the request before",
        "repeated final": "every transcript is final, and comes twice",
        "after the flush": "words come behind the next flush, or in the next request, instead of before their own",
        "no flush": "flushes are not given back",
        "wrong flush": "flushes are given back that nobody has sent",
        "wrong type": "a text in place of a transcript",
    }


@dataclass(slots=True, frozen=True)
class LLMFault(ProviderFault):
    """Something that goes wrong at a model. Its items are pieces of text and calls of tools."""

    of: ClassVar[str] = "llm"
    WHATS: ClassVar[dict[str, str]] = {
        **COMMON,
        "unknown tool": "a tool is asked for that there is not",
        "broken arguments": "a tool is asked for with arguments that are no JSON",
        "wrong arguments": "a tool is asked for with arguments that it does not take",
        "tool loop": "from this request on a tool is asked for again and again",
        "same call twice": "tools are asked for twice, with one id",
        "empty text": "pieces without letters, and the end",
        "endless text": "words without end, one every `seconds` (0.05 at least)",
        "control characters": "a piece of control characters, a lone surrogate, and marks of direction",
        "long token": "a piece of 400 letters without a space",
        "wrong type": "a number in place of text",
    }


@dataclass(slots=True, frozen=True)
class TTSFault(ProviderFault):
    """Something that goes wrong at a voice. Its items are pieces of voice."""

    of: ClassVar[str] = "tts"
    WHATS: ClassVar[dict[str, str]] = {
        **COMMON,
        "odd pieces": "pieces of 1, 7 and 333 samples",
        "empty pieces": "pieces without audio between the others",
        "long piece": "10 s of audio in one piece: what is left, and silence",
        "only words": "words and no audio",
        "no words": "audio and no words",
        "words backwards": "times of words that fall",
        "words beyond": "times of words a minute behind the end of the audio",
        "words before": "times of words before the first sample",
        "words nan": "times of words that are no numbers",
        "words infinite": "times of words without end",
        "more audio": "two seconds of noise behind the last word",
        "endless silence": "pieces without audio for ever, one every 0.1 s",
        "wrong type": "bytes in place of speech",
        "wrong audio": "speech whose audio is a text",
    }


@dataclass(slots=True, frozen=True)
class CodeFault(Fault):
    """Something that goes wrong in code of the user's own."""

    number: int | None = 0
    """Which time it is called, counted from 0; None: each time."""

    def __post_init__(self) -> None:
        super(CodeFault, self).__post_init__()
        if self.number is not None and self.number < 0:
            raise ValueError(f"calls are counted from 0, got {self}")


_CODE = {
    "raise": "it raises RuntimeError",
    "cancelled": "something within it is cancelled, and that comes out of it",
    "block": "it holds the event loop for `seconds`",
    "slow": "it does its work `seconds` later; an async one only",
    "hang": "it waits for ever; an async one only",
    "deaf": "it waits, and swallows cancellation for `seconds` (0: until it is let go); an async one only",
}


@dataclass(slots=True, frozen=True)
class ToolFault(CodeFault):
    """Something that goes wrong in a tool. A plain function that is to wait gives something to await."""

    of: ClassVar[str] = "tool"
    WHATS: ClassVar[dict[str, str]] = {
        **_CODE,
        "exit": "it raises SystemExit",
        "odd result": "it gives an object that nothing can be told of",
        "huge result": "it gives a text of 200,000 letters",
    }

    tool: str = ""
    """Name of the tool; empty: any."""

    @classmethod
    def draw(cls, draw: random.Random, *, tool: str = "", calls: int = 4, what: str | None = None) -> Self:
        """Any fault of a tool: of one of its first `calls` calls, or, now and then, of all."""
        what = what or draw.choice(list(cls.WHATS))
        return cls(what, _code_seconds(draw, what), None if draw.random() < 0.1 else draw.randrange(calls), tool)


@dataclass(slots=True, frozen=True)
class HandlerFault(CodeFault):
    """Something that goes wrong in a handler of a processor, or in its `start` or `stop`."""

    of: ClassVar[str] = "handler"
    WHATS: ClassVar[dict[str, str]] = _CODE

    processor: str = ""
    """Name of the processor's class; empty: any."""
    handler: str = ""
    """Name of the method; empty: any handler, `start` and `stop` left out."""

    @classmethod
    def draw(
        cls,
        draw: random.Random,
        *,
        processor: str = "",
        handler: str = "",
        calls: int = 20,
        what: str | None = None,
    ) -> Self:
        """Any fault of a handler: of one of its first `calls` calls, or, now and then, of all."""
        what = what or draw.choice(list(cls.WHATS))
        number = None if draw.random() < 0.05 else draw.randrange(calls)
        return cls(what, _code_seconds(draw, what), number, processor, handler)


def _code_seconds(draw: random.Random, what: str) -> float:
    return round(draw.uniform(0.05, 0.5) if what == "block" else draw.uniform(0.1, 8.0), 2)


class Injected(NamedTuple):
    """A fault that happened."""

    at: float
    """When, seconds on the loop's clock."""
    fault: Fault


PROVIDER_FAULTS: tuple[type[STTFault], type[LLMFault], type[TTSFault]] = (STTFault, LLMFault, TTSFault)
"""The classes of faults of providers. ``WHATS`` lists what can go wrong, ``draw(random)`` gives any of it."""
CODE_FAULTS: tuple[type[ToolFault], type[HandlerFault]] = (ToolFault, HandlerFault)
"""The classes of faults of the user's own code."""
_CLASSES: dict[str, type[Fault]] = {each.of: each for each in (*PROVIDER_FAULTS, *CODE_FAULTS)}


def fault_from_dict(values: Mapping[str, Any]) -> Fault:
    """The fault that `Fault.as_dict` made this of.

    Raises:
        ValueError: it is none.
    """
    found = _CLASSES.get(str(values.get("of")))
    if found is None:
        raise ValueError(f"expected a fault of {', '.join(_CLASSES)}, got one of {values.get('of')!r}")
    return found.from_dict(values)
