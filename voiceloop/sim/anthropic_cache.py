"""The prompt cache of the simulated Anthropic service. Pure: the time is handed in.

As https://platform.claude.com/docs/en/build-with-claude/prompt-caching has it: a request is a row of blocks, tools
before system before messages; each ``cache_control`` marks an end of something to keep; what begins with other blocks
is not the same. Less than a minimum of tokens is not kept, and nobody is told. An entry lives for 5 minutes or an hour
from its last use. From each mark the service looks 20 blocks back for something it has kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voiceloop.sim.anthropic_wire import input_tokens

__all__ = ["LOOK_BACK", "PromptCache", "Reading", "marks"]

LOOK_BACK = 20
"""Blocks, from a mark backwards."""
_TTL = {"5m": 300.0, "1h": 3600.0}


@dataclass(slots=True)
class _Entry:
    ttl: float
    expires: float


@dataclass(slots=True, frozen=True)
class _Block:
    key: str
    """Stands for all from the first block to this one."""
    end: int
    """Tokens from the first block to the end of this one."""
    ttl: str | None
    """Of its mark."""


@dataclass(slots=True)
class Reading:
    """What becomes of the input of one request."""

    total: int
    """Tokens."""
    read: int = 0
    """Tokens that were in the cache."""
    written: dict[str, int] = field(default_factory=lambda: {"5m": 0, "1h": 0})
    """Tokens that are put into it, by lifetime."""
    keep: list[tuple[str, str]] = field(default_factory=list)
    """What is in the cache once the answer begins: entry and lifetime."""

    @property
    def usage(self) -> dict[str, Any]:
        """In the service's words."""
        written = sum(self.written.values())
        return {
            "input_tokens": self.total - self.read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.read,
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": count for ttl, count in self.written.items()},
        }


class PromptCache:
    """What the service has kept.

    Args:
        minimum: tokens; a mark before so many counts for nothing.
    """

    def __init__(self, minimum: int) -> None:
        self._minimum = minimum
        self._entries: dict[str, _Entry] = {}

    def look_up(self, body: Mapping[str, Any], now: float) -> Reading:
        """What of a request is known. Nothing is kept before `keep` is called."""
        blocks = list(_row(body))
        reading = Reading(blocks[-1].end if blocks else 0)
        marked = [index for index, block in enumerate(blocks) if block.ttl and block.end >= self._minimum]
        for mark in marked:
            for index in range(mark, max(-1, mark - LOOK_BACK - 1), -1):
                entry = self._entries.get(blocks[index].key)
                if entry is not None and entry.expires > now:
                    entry.expires = now + entry.ttl
                    reading.read = max(reading.read, blocks[index].end)
                    break
        done = reading.read
        for mark in marked:
            ttl = blocks[mark].ttl or "5m"
            if blocks[mark].end > done:
                reading.written[ttl] += blocks[mark].end - done
                done = blocks[mark].end
            reading.keep.append((blocks[mark].key, ttl))
        return reading

    def keep(self, reading: Reading, now: float) -> None:
        """The answer has begun: from now on other requests find what this one has written."""
        for key, ttl in reading.keep:
            self._entries[key] = _Entry(_TTL[ttl], now + _TTL[ttl])


def marks(body: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The blocks with ``cache_control``, and that; of the whole request the top-level one comes last."""
    found = [(block, block["cache_control"]) for block in _blocks(body) if block.get("cache_control")]
    top = body.get("cache_control")
    return [*found, (dict(body), top)] if top else found


def _row(body: Mapping[str, Any]) -> Iterator[_Block]:
    """The blocks of a request in the order of the cache."""
    known = hashlib.sha256(json.dumps(body.get("model")).encode())
    rows = list(_blocks(body))
    tokens, before = 0, True
    for index, block in enumerate(rows):
        if before and "role" in block:  # these change how messages are read, and nothing before them
            before = False
            known.update(json.dumps([body.get("tool_choice"), body.get("thinking")]).encode())
        bare = {name: value for name, value in block.items() if name != "cache_control"}
        tokens += input_tokens(bare)
        known.update(json.dumps(bare, sort_keys=True, ensure_ascii=False).encode())
        mark = block.get("cache_control") or (body.get("cache_control") if index == len(rows) - 1 else None)
        yield _Block(known.hexdigest(), tokens, mark.get("ttl", "5m") if mark else None)


def _blocks(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools") or ()
    system = body.get("system") or ()
    yield from [{"type": "text", "text": system}] if isinstance(system, str) else system
    for message in body.get("messages") or ():
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            yield {"role": message["role"], **block}
