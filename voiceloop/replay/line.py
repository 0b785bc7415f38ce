"""The carrier's socket of a replay: nothing comes from it, and nothing goes out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from voiceloop.twilio.protocol import MediaStream, Started
from voiceloop.twilio.transport import TransportOptions, TwilioTransport

__all__ = ["RecordedSocket", "transport_of"]

_CLOSED: Final = 257


@dataclass(slots=True)
class _Message:
    type: int
    data: Any = None


class RecordedSocket:
    """As much of aiohttp's WebSocket as the transport uses."""

    closed = False

    async def receive(self) -> _Message:
        """Nothing, for ever: what the carrier sent goes to the transport by the driver's hand."""
        await asyncio.get_running_loop().create_future()
        return _Message(_CLOSED)

    async def send_str(self, message: str) -> None:
        """Nobody hears it; the driver has compared it."""

    def exception(self) -> None:
        """Nothing went wrong with it."""

    async def close(self) -> None:
        """Nothing to close."""
        self.closed = True


def transport_of(header: dict[str, Any]) -> TwilioTransport:
    """The transport of the call, on a socket that plays its recording."""
    line = header["line"]
    sids = {name: line[name] for name in ("stream_sid", "call_sid", "account_sid")}
    start = {"streamSid": line["stream_sid"], "callSid": line["call_sid"], "accountSid": line["account_sid"]}
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    stream = MediaStream()
    made = {"event": "start", "streamSid": line["stream_sid"], "start": {**start, "mediaFormat": form}}
    stream.receive(json.dumps(made))
    socket: Any = RecordedSocket()
    return TwilioTransport(socket, stream, Started(**sids), TransportOptions(**line["options"]))
