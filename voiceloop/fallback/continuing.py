"""How one model goes on with the answer of another. Pure: text in, text out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from voiceloop.conversation import Message

__all__ = ["Joint", "Own", "WholeWords", "continuing", "finished", "for_model"]

GO_ON = (
    "(Your answer broke off after the words “{end}”. I have heard it up to there. Go on with the very next word, in "
    "the same language. Repeat nothing, do not greet, do not apologise. If nothing is missing, write only a full stop.)"
)
_END_SHOWN = 60
"""Characters of the end of what was said that a model is shown once more."""
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"
"""Scripts that put no spaces between words, and their punctuation."""
_OPEN = re.compile(rf"[^\s{_UNSPACED}]*\Z")
_LONGEST = 60
"""Characters after which something without spaces is held to be no word."""
_TOKEN = re.compile(rf"[{_UNSPACED}]|\w+(?:['’]\w+)*")
_TAIL = 400
"""Tokens of what was said in which the beginning of a continuation is looked for."""
_TELLING = 6
"""Letters of a single repeated word that tell that it is a repetition; "very very" is none."""


@dataclass(slots=True, frozen=True)
class Own:
    """The echo of one of several models: it is given back to that one only."""

    place: int
    content: Any


class WholeWords:
    """Holds back the word that is still being written: another model could not write the rest of it.

    A voice needs the space behind a word before it can speak it, so nobody waits for this.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open = ""

    def feed(self, text: str) -> str:
        """Add a piece; return all that is whole."""
        text = self._open + text
        found = _OPEN.search(text)
        cut = found.start() if found is not None else len(text)
        if len(text) - cut > _LONGEST:
            cut = len(text)
        self._open = text[cut:]
        return text[:cut]

    def close(self) -> str:
        """Nothing more comes: the last word."""
        rest, self._open = self._open, ""
        return rest


class Joint:
    """Drops from the beginning of a continuation what repeats the end of what was said.

    It is fed whole words, and holds them back while they may be a repetition.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._tail = _tokens(said)[-_TAIL:]
        self._pending = ""
        self._done = False

    def feed(self, text: str) -> str:
        """Add a piece; return what is new."""
        if self._done:
            return text
        self._pending += text
        tokens = _tokens(self._pending)
        if not tokens or any(self._at(start, tokens, whole=False) for start in range(len(self._tail))):
            return ""
        return self._cut(tokens)

    def close(self) -> str:
        """Nothing more comes."""
        return "" if self._done else self._cut(_tokens(self._pending))

    def _at(self, start: int, tokens: list[str], *, whole: bool) -> bool:
        """Whether the continuation repeats what was said from a place: up to its end, or so far without reaching it."""
        count = len(self._tail) - start
        if whole:
            return count <= len(tokens) and self._tail[start:] == tokens[:count]
        return len(tokens) < count and self._tail[start : start + len(tokens)] == tokens

    def _cut(self, tokens: list[str]) -> str:
        self._done = True
        for start in range(len(self._tail)):
            if self._at(start, tokens, whole=True) and _tells(self._tail[start:]):
                matches = list(_TOKEN.finditer(self._pending))
                return self._fitted(self._pending[matches[len(self._tail) - start - 1].end() :].lstrip(",.;:!?…\"'”’"))
        return self._fitted(self._pending.lstrip().lstrip("….") if tokens else "")

    def _fitted(self, rest: str) -> str:
        """With one space between the two, where words are divided by spaces."""
        stripped = rest.lstrip()
        if not stripped or not self._said or self._said[-1].isspace():
            return stripped
        joined = _OPEN.search(self._said[-1:] + stripped[:1])
        spaced = joined is not None and joined.start() == 0 and stripped[0] not in ",.;:!?"
        return f" {stripped}" if spaced else stripped


def _tokens(text: str) -> list[str]:
    return [token.casefold().replace("’", "'") for token in _TOKEN.findall(text)]


def _tells(repeated: Sequence[str]) -> bool:
    """Whether that is repeated by mistake: numbers, or a single short word, may be meant twice."""
    words = [word for word in repeated if not word[0].isdigit()]
    return bool(words) and (len(repeated) > 1 or len(repeated[0]) >= _TELLING)


def finished(said: str) -> bool:
    """Whether a text may end there."""
    return said.rstrip().rstrip("\"'”’)»]*_")[-1:] in tuple(".!?…。！？") if said.strip() else False


def continuing(messages: Sequence[Message], said: str) -> list[Message]:
    """The conversation, with what was said of the answer so far, and the request to go on. For any chat model."""
    said = said.strip()
    if not said:
        return list(messages)
    end = said[-_END_SHOWN:]
    if len(said) > _END_SHOWN:
        end = end.partition(" ")[2] or end
    return [*messages, Message("assistant", said), Message("user", GO_ON.format(end=end))]


def for_model(messages: Sequence[Message], place: int, *, tools: bool) -> list[Message]:
    """The messages as one of several models can read them.

    Its own echoes only; and for one that knows nothing of tools, their results as something it is told.
    """
    told: list[Message] = []
    for message in messages:
        if isinstance(message.echo, Own):
            own = message.echo.place == place
            message = replace(message, echo=message.echo.content if own else None)
        if tools or not (message.calls or message.results):
            told.append(message)
            continue
        if message.text:
            told.append(Message(message.role if message.role != "tool" else "user", message.text))
        if message.results:
            results = "; ".join(result.text for result in message.results)
            told.append(Message("user", f"(What you looked up: {results})"))
    return told
