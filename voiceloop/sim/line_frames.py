"""WebSocket frames by hand: for counting bytes, and for sending what no WebSocket library would. Pure.

Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BINARY", "CONTINUATION", "PING", "TEXT", "client_frame", "frame_size"]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
PING: Final = 0x9

_FINAL: Final = 0x80
_MASKED: Final = 0x80


def frame_size(payload: int, *, masked: bool) -> int:
    """Bytes of a frame with that many bytes of payload; a client's frames are masked."""
    return 2 + (0 if payload < 126 else 2 if payload < 65536 else 8) + (4 if masked else 0) + payload


def client_frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A client's frame. Its mask is 0, which leaves the payload as it is; not `masked` is against the protocol."""
    size = len(payload)
    mask = _MASKED if masked else 0
    head = bytes([(_FINAL if final else 0) | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload
