"""Items of providers as bytes, and back. Pure.

JSON behind a letter for the class; of a voice the length of that, and the audio behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from voiceloop.conversation import Message, ToolCall
from voiceloop.frames import Transcript, Word
from voiceloop.llm.base import Echo, Usage
from voiceloop.runtime import Canned
from voiceloop.served import Served
from voiceloop.stt.base import Flush
from voiceloop.tts.base import Speech

__all__ = [
    "FlushNumber",
    "NotKept",
    "decode_canned",
    "decode_item",
    "encode_canned",
    "encode_item",
    "from_json",
    "hashed",
    "parts_of",
    "plain",
    "to_json",
]


class NotKept:
    """Stands for something that no recording can hold."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return f"<{self.what}, not kept>"


class FlushNumber(int):
    """Stands for the flush of that number of its stream."""


def encode_item(item: object) -> bytes:
    """An item as bytes; one of an unknown class as its name."""
    encode = _ENCODE.get(type(item))
    if encode is None:
        return b"?" + type(item).__qualname__.encode()
    return encode(item)


def decode_item(content: bytes) -> Any:
    """What `encode_item` was given; a `FlushNumber` for a flush, `NotKept` for what was not encoded."""
    return _DECODE[content[:1]](content[1:])


def plain(value: object) -> Any:
    """What JSON can hold of a value: dataclasses as dictionaries, bytes as their length, the rest as its text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return f"<{type(value).__name__}>"


# Made once: `json.dumps` makes one for each call. default: a model's times may be numbers of numpy's.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode


def part_of(name: str, part: object) -> bytes:
    """A part of a request: of a message what the model is told, of anything else all of it."""
    if isinstance(part, Message):
        told = {"role": part.role, "text": part.text, "calls": plain(part.calls), "results": plain(part.results)}
        return to_json([name, {key: value for key, value in told.items() if value}])
    return to_json([name, plain(part)])


def parts_of(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a request: each of a list is one."""
    for name, value in request.items():
        for part in value if isinstance(value, list | tuple) else [value]:
            yield name, part


def hashed(name: str, part: object) -> tuple[bytes, bytes]:
    """The SHA-256 of a part of a request, and what it is of."""
    content = part_of(name, part)
    return hashlib.sha256(content).digest(), content


def encode_canned(text: str, words: Sequence[Word] | None, audio: bytes) -> bytes:
    """A text that was looked for among those rendered ahead; `words` and audio only when they are not known yet."""
    return _headed(to_json([text] if words is None else [text, _word_list(words)]), audio)


def decode_canned(content: bytes) -> tuple[str, Canned | None]:
    """The text, and its speech if that stands here."""
    head, audio = _parted(content)
    text, *words = from_json(head)
    return text, Canned(audio, tuple(Word(*word) for word in words[0])) if words else None


def to_json(value: object) -> bytes:
    """As JSON, in UTF-8."""
    return _encode(value).encode("utf-8", "surrogatepass")


def from_json(content: bytes) -> Any:
    return json.loads(content.decode("utf-8", "surrogatepass"))


def _transcript(item: Transcript) -> bytes:
    return b"t" + to_json([item.text, item.final, item.segment, item.settled, _word_list(item.words)])


def _read_transcript(content: bytes) -> Transcript:
    text, final, segment, settled, words = from_json(content)
    return Transcript(text, final, segment, settled=settled, words=tuple(Word(*word) for word in words))


def _speech(item: Speech) -> bytes:
    return b"v" + _headed(to_json(_word_list(item.words)) if item.words else b"", item.audio)


def _read_speech(content: bytes) -> Speech:
    words, audio = _parted(content)
    return Speech(audio, tuple(Word(*word) for word in from_json(words)) if words else ())


def _word_list(words: Sequence[Word]) -> list[list[Any]]:
    return [[word.text, word.start, word.end] for word in words]


def _headed(head: bytes, audio: bytes) -> bytes:
    """JSON in front of audio: its length (4 bytes, little-endian), the JSON, the audio."""
    return len(head).to_bytes(4, "little") + head + audio


def _parted(content: bytes) -> tuple[bytes, bytes]:
    size = 4 + int.from_bytes(content[:4], "little")
    return content[4:size], content[size:]


def _echo(item: Echo) -> bytes:
    try:
        return b"e" + to_json(item.content)
    except (TypeError, ValueError):
        return b"?" + b"Echo"


_ENCODE: Final[dict[type, Callable[[Any], bytes]]] = {
    str: lambda item: b"s" + item.encode("utf-8", "surrogatepass"),
    Transcript: _transcript,
    Flush: lambda item: b"f%d" % item.number,
    Speech: _speech,
    ToolCall: lambda item: b"c" + to_json([item.id, item.name, item.arguments]),
    Usage: lambda item: b"u" + to_json(asdict(item)),
    Echo: _echo,
    Served: lambda item: b"d" + to_json([item.name, item.instead_of, item.why]),
}
_DECODE: Final[dict[bytes, Callable[[bytes], Any]]] = {
    b"s": lambda content: content.decode("utf-8", "surrogatepass"),
    b"t": _read_transcript,
    b"f": lambda content: FlushNumber(content),
    b"v": _read_speech,
    b"c": lambda content: ToolCall(*from_json(content)),
    b"u": lambda content: Usage(**from_json(content)),
    b"e": lambda content: Echo(from_json(content)),
    b"d": lambda content: Served(*from_json(content)),
    b"?": lambda content: NotKept(content.decode()),
}
