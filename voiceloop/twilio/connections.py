"""The live calls of a process, by their ids: the way to a call from outside of its pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.processor import NotRunning
from voiceloop.runtime import Runtime
from voiceloop.tts.base import TTS
from voiceloop.tts.stream import TTSStream
from voiceloop.twilio.transport import TwilioTransport

__all__ = ["ConnectionManager", "NoSuchCall", "TooManyCalls"]

LIMIT = 1000
"""Live calls that a manager takes unless told otherwise."""
SHOWN = 5
"""Live calls that an error names."""


class NoSuchCall(NotRunning, KeyError):
    """No call of this id is live: it has ended, or never began here."""

    __str__ = Exception.__str__  # that of KeyError shows a message as it would a key


class TooManyCalls(VoiceloopError):
    """As many calls are live as a manager takes."""


class ConnectionManager:
    """The live calls, and one voice for all of them.

    A call is in it from before its pipeline is made until its report is there, however it ends. Nothing of a call
    is kept afterwards.

    Fill it by ``media_app(bot, runtime, manager=manager)``; or in the bot itself, wherever that is served::

        manager = ConnectionManager(Hibari())

        def bot(call: Call) -> Pipeline:
            manager.connect(call)
            ...

    Args:
        tts: the voice of `get_tts_stream`.
        runtime: whose warmed providers that uses; when not given, that of the newest call.
        limit: live calls it takes.
    """

    def __init__(self, tts: TTS | None = None, *, runtime: Runtime | None = None, limit: int = LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        self.limit = limit
        self._own_runtime = runtime is not None
        self._stream = TTSStream(tts, runtime=runtime)
        self._calls: dict[Call, tuple[str, ...]] = {}
        self._by_sid: dict[str, list[Call]] = {}

    # --- what is live --------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """The live calls, oldest first."""
        return list(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __contains__(self, sid: object) -> bool:
        return sid in self._by_sid

    def __repr__(self) -> str:
        return f"<ConnectionManager of {len(self)} live calls>"

    def get_call(self, sid: str) -> Call:
        """The live call with this call SID or stream SID. Of several streams of one call the newest counts.

        Raises:
            NoSuchCall: it is over, or never began here.
        """
        found = self._by_sid.get(sid)
        if found is None:
            live = [call.id or "one without an id" for call in self._calls]
            more = f" and {len(live) - SHOWN} more" if len(live) > SHOWN else ""
            have = f"live: {', '.join(live[:SHOWN])}{more}" if live else "no call is live"
            raise NoSuchCall(f"no live call {sid!r}: it has ended, or never began here; {have}")
        return found[-1]

    def get_connection(self, sid: str) -> TwilioTransport:
        """The connection of a live call: what `voiceloop.twilio.handlers` take.

        Raises:
            NoSuchCall: it is over, or never began here.
            VoiceloopError: it did not come by a Twilio media stream.
        """
        transport = self.get_call(sid).transport
        if not isinstance(transport, TwilioTransport):
            raise VoiceloopError(f"expected call {sid!r} to come by a TwilioTransport, its is a {transport.name}")
        return transport

    def get_streamer(self, sid: str) -> AudioStreamer:
        """The streamer of a live call: what speaks to its caller.

        Raises:
            NoSuchCall: it is over, or never began here.
            NotRunning: its pipeline is still being made.
            VoiceloopError: its pipeline has no `AudioStreamer`.
        """
        call = self.get_call(sid)
        if _is_over(call):
            raise NoSuchCall(f"call {sid!r} cannot be spoken to any more: it is over, {call.ending}")
        engine = call._engine
        if engine is None:
            raise NotRunning(f"call {sid!r} has no streamer yet: its pipeline is still being made")
        for processor in engine.processors:
            if isinstance(processor, AudioStreamer):
                return processor
        raise VoiceloopError(f"call {sid!r} cannot be spoken to: put an AudioStreamer() at the end of its pipeline")

    def get_tts_stream(self) -> TTSStream:
        """The one voice for all calls; always the same object. It keeps nothing between two texts."""
        return self._stream

    # --- what comes and goes -------------------------------------------------------------------------------

    def connect(self, call: Call) -> None:
        """Take a call that begins. It leaves by itself when it is over. Harmless when said twice.

        Raises:
            TooManyCalls: there are as many as `limit`.
            NotRunning: it is over already.
        """
        if call in self._calls:
            return
        if _is_over(call):
            raise NotRunning(f"call {call.id!r} cannot be connected: it has ended")
        if len(self._calls) >= self.limit:
            raise TooManyCalls(f"{self.limit} calls are live, and that is the limit: ConnectionManager(limit=…)")
        transport = call.transport
        stream_sid = transport.started.stream_sid if isinstance(transport, TwilioTransport) else ""
        self._calls[call] = sids = tuple(dict.fromkeys(sid for sid in (call.id, stream_sid) if sid))
        for sid in sids:
            self._by_sid.setdefault(sid, []).append(call)
        call.on_end(partial(_leave, self, call))
        if not self._own_runtime:
            self._stream.runtime = call.runtime

    def disconnect(self, call: Call) -> None:
        """Forget a call. Harmless when it is not known."""
        for sid in self._calls.pop(call, ()):
            calls = self._by_sid[sid]
            calls.remove(call)
            if not calls:
                del self._by_sid[sid]


def _is_over(call: Call) -> bool:
    """Whether its end has begun, at least."""
    return call._ended is not None and (call._ended.done() or call._engine is None)


def _leave(manager: ConnectionManager, call: Call, report: object) -> None:
    manager.disconnect(call)
