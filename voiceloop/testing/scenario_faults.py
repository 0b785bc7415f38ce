"""What goes wrong on purpose in a scenario: at a provider, and on the line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Final

from voiceloop.llm.base import LLM
from voiceloop.sim.line_faults import BY_KIND, LineFault
from voiceloop.stt.base import STT
from voiceloop.testing.faulty import FaultyLLM, FaultySTT, FaultyTTS, LLMFault, STTFault, TTSFault
from voiceloop.testing.scenario_fields import Fields, count, entries, flag, name_of, nearest, one_or_more, seconds, text
from voiceloop.testing.scenario_source import Node, Source, Wrong
from voiceloop.tts.base import TTS

__all__ = ["ProviderFault", "faulty", "line_faults", "provider_faults"]

ProviderFault = STTFault | LLMFault | TTSFault

_FAULTS: Final[dict[type, type[ProviderFault]]] = {STT: STTFault, LLM: LLMFault, TTS: TTSFault}
_FAULTY: Final[dict[type, Callable[..., Any]]] = {STT: FaultySTT, LLM: FaultyLLM, TTS: FaultyTTS}
PLAIN: Final = {"breaks": "cut", "goes silent": "stalled", "gives nothing": "ended"}
"""Plain words for what can go wrong at every provider."""
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,9})?")


def faulty(base: type, provider: object, faults: tuple[ProviderFault, ...]) -> object:
    """A provider that goes wrong as told."""
    mine = [fault for fault in faults if isinstance(fault, _FAULTS[base])]
    return _FAULTY[base](provider, mine) if mine else provider


def provider_faults(source: Source, node: Node, base: type) -> tuple[ProviderFault, ...]:
    """``fails``: how, or how and when, or a list of these."""
    if node.kind == "list":
        return tuple(fault for item in node.items for fault in provider_faults(source, item, base))
    if node.kind == "text":
        return (_FAULTS[base](_what(node, base), request=None),)
    fields = Fields(source, node, "a failure", ("how", "after", "seconds", "requests"))
    what = fields.need("how", lambda entry: _what(entry, base), f"expected 'how: …', such as {', '.join(PLAIN)}")
    lasts, after = fields.get("seconds", seconds, 0.0), fields.get("after", count, 0)
    requests: tuple[int | None, ...] = fields.get("requests", one_or_more(_ordinal), (None,))
    return tuple(_FAULTS[base](what, lasts, request, after) for request in requests)


def _what(node: Node, base: type) -> str:
    known = (*PLAIN, *_FAULTS[base].WHATS)
    word = name_of(node) if node.kind == "text" else ""
    if word not in known:
        raise Wrong(node.place, f"expected how it fails: {', '.join(known)}; got {node.shown}{nearest(word, known)}")
    return PLAIN.get(word, word)


def _ordinal(node: Node) -> int:
    if (which := count(node)) < 1:
        raise Wrong(node.place, "requests are counted from 1, got 0")
    return which - 1


# --- the line -----------------------------------------------------------------------------------------------


def line_faults(node: Node) -> tuple[LineFault, ...]:
    """``faults`` of the line: ``line echo``, ``noise: {level: -40}``, or a list of these."""
    if node.kind == "list":
        return tuple(fault for item in node.items for fault in line_faults(item))
    if node.kind == "text":
        return (_line_fault(node, {}),)
    return tuple(
        _line_fault(name, entries(given) if given.kind == "mapping" else _nothing(given)) for name, given in node.pairs
    )


def _nothing(node: Node) -> dict[str, Node]:
    if not node.empty:
        raise Wrong(node.place, f"expected settings, such as {{at: 3.0}}; got {node.shown}")
    return {}


def _line_fault(name: Node, given: dict[str, Node]) -> LineFault:
    kinds = {kind.replace("-", " "): kind for kind in BY_KIND}
    word = name_of(name)
    if word not in kinds:
        raise Wrong(
            name.place, f"expected a fault of the line: {', '.join(kinds)}; got {name.shown}{nearest(word, kinds)}"
        )
    made = BY_KIND[kinds[word]]
    known = {field.name.replace("_", " "): field for field in dataclasses.fields(made)}
    values: dict[str, Any] = {}
    for key, node in given.items():
        plain = " ".join(re.split(r"[\s_-]+", key.strip().lower()))
        if plain not in known:
            expected = ", ".join(known) or "nothing more"
            raise Wrong(node.place, f'"{key}" is no setting of {word}: expected {expected}{nearest(plain, known)}')
        field = known[plain]
        values[field.name] = _READ[str(field.type).removesuffix(" | None")](node)
    try:
        return made(**values)
    except (TypeError, ValueError) as error:
        needed = ", ".join(each for each, field in known.items() if field.default is dataclasses.MISSING)
        told = f"{word} needs {needed}" if isinstance(error, TypeError) else str(error)
        raise Wrong(name.place, told) from None


def _amount(node: Node) -> float:
    """A number, also below 0, or a time."""
    plain = node.text.strip()
    return float(plain) if node.kind == "text" and _NUMBER.fullmatch(plain) else seconds(node)


_READ: Final[dict[str, Callable[[Node], Any]]] = {
    "float": _amount,
    "int": count,
    "bool": flag,
    "str": text,
    "Way": text,
}
"""How a field is read, by its type."""
