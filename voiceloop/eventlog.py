"""The log of a call: every wake-up in the order it was processed, and every message sent."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field

__all__ = ["EventLog"]


@dataclass(slots=True)
class EventLog:
    """What happened in one call. Kinds: ``in`` and ``out`` (messages of the carrier, and to it), ``timer``, ``task``,
    and ``stt``, ``llm``, ``tts`` (items of providers)."""

    events: list[tuple[float, str, str]] = field(default_factory=list)
    """(seconds on the loop's clock, kind, detail)."""

    def add(self, at: float, kind: str, detail: object) -> None:
        """Append one event. Anything that is not text is kept as its type and a checksum of what it prints."""
        if not isinstance(detail, str):
            detail = f"{type(detail).__name__} {zlib.crc32(repr(detail).encode()):08x}"
        self.events.append((at, kind, detail))

    def sha256(self) -> str:
        """A fingerprint of everything in it; equal logs have equal ones. Times count to the microsecond."""
        digest = hashlib.sha256()
        for at, kind, detail in self.events:
            digest.update(f"{at:.6f}\t{kind}\t{detail}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()
