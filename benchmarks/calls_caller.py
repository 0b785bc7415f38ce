"""One simulated caller of ``calls.py``: a Twilio media stream, written for a process that holds hundreds of them.

It speaks, hears how the answer arrives, echoes marks as Twilio does, and keeps a note of everything late or torn. What
it plays is known exactly: a byte of mu-law is an eighth of a millisecond, played one after the other from the moment
the first arrives.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["PACKET", "Caller", "Line", "Notes", "Script", "Speech"]

PACKET: Final = 0.020
"""Seconds of audio in a message of the caller's."""
HOLE: Final = 0.010
"""Seconds without sound inside an answer from which on it is heard."""
PATIENCE: Final = 8.0
"""Seconds that an answer is waited for."""
STUCK: Final = 3.0
"""Seconds behind the last sound after which the rest of an answer does not come any more."""
BARGE_AFTER: Final = 2.0
"""Seconds of an answer that are heard before it is interrupted."""
_EVENT: Final = re.compile(rb'"event":\s*"(\w+)"')
_PAYLOAD: Final = re.compile(rb'"payload":\s*"([^"]*)"')


@dataclass(slots=True)
class Speech:
    """What callers send: base64 of packets."""

    utterances: list[list[bytes]]
    """Each from its first sound to its last, without the mark behind."""
    noise: list[bytes]
    """Of a line on which nobody speaks."""
    mark: bytes
    """Where an utterance has ended."""


@dataclass(slots=True)
class Script:
    """How a caller behaves."""

    answer: int
    """Bytes of a whole answer."""
    barge_in: float = 0.0
    """Of the answers, the share that is interrupted."""
    pause: tuple[float, float] = (0.5, 1.5)
    """Seconds between the end of an answer and what is said next."""
    length: float | None = None
    """Seconds after which the caller hangs up; None: never."""


@dataclass(slots=True)
class Notes:
    """What all callers of a run have seen. Seconds."""

    waits: list[float] = field(default_factory=list)
    """From the last sample of speech to the arrival of the first sound of the answer."""
    holes: list[float] = field(default_factory=list)
    answers: int = 0
    torn: int = 0
    """Answers with a hole."""
    incomplete: int = 0
    """Answers that did not come to their end."""
    missed: int = 0
    """Turns without an answer."""
    greetings: list[float] = field(default_factory=list)
    """From the begin of the connection to the first sound."""
    clears: list[float] = field(default_factory=list)
    """From the first sound of an interruption to the ``clear``."""
    talked_over: int = 0
    """Interruptions that brought no ``clear`` in time."""
    margins: list[float] = field(default_factory=list)
    """What was still to be played when the next audio of an answer arrived; the smallest of each answer."""
    refused: int = 0
    lost: int = 0
    """Connections that ended otherwise than by the caller."""
    calls: int = 0
    sent: int = 0
    received: int = 0


class Caller(asyncio.Protocol):
    """A call. `tick` is to be called every 20 ms."""

    def __init__(self, number: int, speech: Speech, script: Script, notes: Notes, host: str) -> None:
        self.draw = random.Random(number)
        self.speech, self.script, self.notes = speech, script, notes
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._sid = f"MZ{number:032x}"
        self.call_sid = f"CA{number:032x}"
        self.parameters: dict[str, str] = {}
        """Of the stream, as the server's answer to the webhook has them."""
        self._tail = f'"}},"streamSid":"{self._sid}"}}'.encode()
        self._began = self._loop.time()
        self._open = False
        self._buffer = bytearray()
        self._transport: Any = None
        self._packets = 0
        self._sequence = 1
        self._saying: list[bytes] = []
        self._place = 0
        self._ear = Ear(self)
        self._do: Callable[[float], None] = self._await_greeting
        self._due = self._began + PATIENCE

    # --- the wire -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self._transport = transport
        lines = ["GET /media HTTP/1.1", f"Host: {self._host}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""]
        transport.write("\r\n".join(lines).encode())

    def data_received(self, data: bytes) -> None:
        """Take the server's frames: it does not mask them (RFC 6455, section 5.2)."""
        buffer = self._buffer
        buffer += data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in buffer[:16]:
                self.notes.refused += 1
                self._leave()
                return
            del buffer[: end + 4]
            self._open = True
            self._begin()
        at = 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < start + size:
                break
            self._frame(buffer[at] & 0x0F, bytes(buffer[start : start + size]))
            at = start + size
        del buffer[:at]

    def connection_lost(self, error: Exception | None) -> None:
        """The server is gone, or the caller."""
        if not self.over:
            self.notes.lost += 1
            self.over = True

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:  # a ping
            self._send(payload, 0x8A)
        elif opcode == 1:
            self.notes.received += 1
            found = _EVENT.search(payload, 0, 60)
            event = found[1] if found else b""
            if event == b"media":
                sound = _PAYLOAD.search(payload)
                text = sound[1] if sound else b""
                self._ear.media(len(text) // 4 * 3 - text[-2:].count(b"="), self._loop.time())
            elif event == b"mark":
                self._ear.mark(json.loads(payload)["mark"]["name"])
            elif event == b"clear":
                self._ear.clear(self._loop.time())

    def _send(self, payload: bytes, head: int = 0x81) -> None:
        size = len(payload)
        length = bytes((head, 0x80 | size)) if size < 126 else bytes((head, 0xFE, size >> 8, size & 255))
        self._transport.write(length + bytes(4) + payload)
        self.notes.sent += 1

    def _say(self, **message: Any) -> None:
        self._sequence += 1
        text = {"sequenceNumber": str(self._sequence), "streamSid": self._sid, **message}
        self._send(json.dumps(text, separators=(",", ":")).encode())

    def echo(self, name: str) -> None:
        """A mark was played, or flushed."""
        self._say(event="mark", mark={"name": name})

    def _begin(self) -> None:
        self.notes.calls += 1
        coding = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": self._sid, "accountSid": f"AC{0:032x}", "callSid": self.call_sid, "tracks": ["inbound"]}
        self._send(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        self._say(event="start", start={**start, "mediaFormat": coding, "customParameters": self.parameters})

    def _leave(self) -> None:
        self.over = True
        self._transport.close()

    # --- what is said -------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send the next packet, and go on in the script."""
        if self.over or not self._open:
            return
        if self.script.length is not None and now - self._began >= self.script.length:
            self._say(event="stop", stop={"accountSid": f"AC{0:032x}", "callSid": self.call_sid})
            self._leave()
            return
        if self._place < len(self._saying):
            payload = self._saying[self._place]
            self._place += 1
        else:
            payload = self.speech.noise[self._packets % len(self.speech.noise)]
        self._packets += 1
        self._sequence += 1
        self._send(
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
            b'"payload":"%b%b' % (self._sequence, self._packets, self._packets * 20, payload, self._tail)
        )
        self._ear.play(now)
        self._do(now)

    def _await_greeting(self, now: float) -> None:
        ear = self._ear
        if ear.first is not None:
            self.notes.greetings.append(ear.first - self._began)
            self._do = self._hear_greeting
        elif now >= self._due:
            self.notes.missed += 1
            self._rest(now)

    def _hear_greeting(self, now: float) -> None:
        if now >= self._ear.end + 0.1:
            self._rest(now)

    def _rest(self, now: float) -> None:
        self._due = now + self.draw.uniform(*self.script.pause)
        self._do = self._resting

    def _resting(self, now: float) -> None:
        if now >= self._due:
            self._speak()
            self._do = self._speaking

    def _speak(self) -> None:
        self._saying = [*self.draw.choice(self.speech.utterances), self.speech.mark]
        self._place = 0

    def _speaking(self, now: float) -> None:
        if self._place == len(self._saying) - 1:  # the last packet with speech has just been sent
            self._ended = now
            self._due = now + PATIENCE
            self._barges = self.draw.random() < self.script.barge_in
            self._ear.expect(self.script.answer)
            self._do = self._waiting

    def _waiting(self, now: float) -> None:
        ear = self._ear
        if ear.first is not None:
            self.notes.waits.append(ear.first - self._ended)
            self._do = self._listening
        elif now >= self._due:
            self.notes.missed += 1
            self._rest(now)

    def _listening(self, now: float) -> None:
        ear = self._ear
        assert ear.first is not None
        if self._barges and now - ear.first >= BARGE_AFTER:
            self._speak()
            self._ended = now  # the next packet is the first with sound
            ear.cleared = None
            self._do = self._interrupting
        elif (whole := ear.got >= ear.expected and now >= ear.end) or now >= ear.end + STUCK:
            self.notes.answers += 1
            self.notes.incomplete += not whole
            self.notes.torn += bool(ear.holes)
            self.notes.holes += ear.holes
            self.notes.margins.append(ear.margin)
            self._rest(now)

    def _interrupting(self, now: float) -> None:
        if self._ear.cleared is not None:
            self.notes.clears.append(self._ear.cleared - self._ended)
            self._do = self._speaking
        elif self._place >= len(self._saying) - 1:
            self.notes.talked_over += 1
            self._speaking(now)


class Ear:
    """Plays what comes."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._marks: deque[tuple[float, str]] = deque()
        self.end = 0.0
        """When all that has come will have been played."""
        self.cleared: float | None = None
        self.expect(0)

    def expect(self, size: int) -> None:
        """An answer of so many bytes comes next."""
        self.expected, self.got = size, 0
        self.first: float | None = None
        self.holes: list[float] = []
        self.margin = 9.0

    def media(self, size: int, now: float) -> None:
        """Audio has come."""
        if self.first is None:
            self.first = now
        elif self.got < self.expected:
            self.margin = min(self.margin, self.end - now)
            if now - self.end >= HOLE:
                self.holes.append(now - self.end)
        self.got += size
        self.end = max(self.end, now) + size / 8000

    def mark(self, name: str) -> None:
        """A mark behind it has come."""
        self._marks.append((self.end, name))

    def clear(self, now: float) -> None:
        """What was not played is dropped."""
        self.cleared = now
        self.end = min(self.end, now)
        while self._marks:
            self._caller.echo(self._marks.popleft()[1])

    def play(self, now: float) -> None:
        """Time has passed."""
        while self._marks and self._marks[0][0] <= now:
            self._caller.echo(self._marks.popleft()[1])


@dataclass(slots=True)
class Line:
    """A place for one caller after the other."""

    slot: int
    """In which millisecond of every 20 its packets are sent."""
    caller: Caller | None = None
