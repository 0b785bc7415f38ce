"""The record of a call, as a judge is given it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from voiceloop.conversation import Conversation, Message
from voiceloop.report import CallReport

__all__ = ["Record", "transcript_of"]


@dataclass(frozen=True, slots=True)
class Record:
    """What `transcript_of` gave at an earlier time."""

    lines: str


@singledispatch
def transcript_of(about: Any) -> str:
    """What is judged, a line for each message: who spoke, and a JSON string of what was said or done.

    Instructions are not part of it: they are no part of the call.
    """
    if hasattr(about, "carrier") and hasattr(about, "call"):  # a `Dialled`; it is not imported for this
        return transcript_of(about.call.conversation)
    if isinstance(text := getattr(about, "text", None), str):  # a `Reply`, a `Message`
        return transcript_of(text)
    if isinstance(about, Iterable):
        return _of_messages(about)
    raise TypeError(f"expected a call, a report, a conversation, a reply or a text to judge, got {about!r}")


@transcript_of.register
def _(about: str) -> str:
    return f"agent: {_quote(about)}" if about.strip() else ""


@transcript_of.register
def _(about: Record) -> str:
    return about.lines


@transcript_of.register
def _(about: Conversation) -> str:
    return _of_messages(about)


@transcript_of.register
def _(about: CallReport) -> str:
    return "\n".join(
        line for line in (_of_messages(about.conversation), f"the call ended: {_quote(about.reason)}") if line
    )


def _of_messages(messages: Iterable[Message]) -> str:
    return "\n".join(line for message in messages for line in _lines(message))


def _lines(message: Message) -> list[str]:
    who = {"user": "caller", "assistant": "agent", "tool": "tool"}.get(message.role)
    if who is None:
        return []
    lines = [f"{who}: {_quote(message.text)}"] if message.text.strip() else []
    if message.unheard.strip():
        lines.append(f"agent, cut off before the caller heard it: {_quote(message.unheard)}")
    lines += [f"agent, uses the tool {_quote(call.name)}: {_quote(call.arguments)}" for call in message.calls]
    lines += [f"tool, gives: {_quote(result.text)}" for result in message.results]
    return lines


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
