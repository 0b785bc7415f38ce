"""What `AudioStreamer.queue_audio` takes: pieces of voice, and what they are pieces of."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable
from typing import Literal

from voiceloop.errors import VoiceloopError
from voiceloop.frames import UserTurn, Word

__all__ = ["Payload", "PayloadError", "Utterance", "audio_of"]

Ended = Literal["complete", "closed", "failed"]
"""How the making of an utterance ended: all of it was made; given up by whoever wanted it; the voice failed."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_TELLING = 160
"""Bytes from which on letters alone are no sound: audio has both signs, and letters are samples of one sign."""


class PayloadError(VoiceloopError, ValueError):
    """Something was queued that cannot be played."""


class Utterance:
    """One thing that is said, from its first word to its last: what `TTSStream.generate` makes of one text.

    Its payloads are one answer on the line that plays them; when that was interrupted, the rest of them is dropped.
    Make one yourself to give the same to audio of your own::

        utterance = Utterance("Your table is booked.")
        async for audio in my_voice():
            if not await streamer.queue_audio(utterance.payload(audio)):
                break
        utterance.finish()

    Args:
        text: what it says, if that is known already.
        turn: the caller's turn that it answers; then it is that turn's answer in the report, with its latency.
    """

    def __init__(self, text: str = "", *, turn: UserTurn | None = None) -> None:
        self.text = text
        """What it says, as it was written; may grow while it is spoken. This is remembered, as far as it was heard."""
        self.turn = turn
        self.words: list[Word] = []
        """When its words are spoken, seconds from its first sample. Empty for a voice that does not tell."""
        self.size = 0
        """Bytes of its voice so far."""
        self.milestones: dict[str, float] = {}
        """When it had its first ``text`` and its first ``audio``, seconds on the loop's clock."""
        self.characters = 0
        """Given to a voice, and counted in the report of no call yet."""
        self.ended: Ended | None = None
        """How its making ended; None while there may be more."""
        self.cut = False
        """True once it was interrupted wherever it was played: to make more of it is useless."""
        self.on_cut: Callable[[], None] | None = None
        """Called once, when it was cut."""
        self._players: dict[Callable[[], None], None] = {}

    def payload(self, audio: bytes, words: Iterable[Word] = ()) -> Payload:
        """The next piece of its voice.

        Args:
            audio: mu-law, 8000 Hz, mono.
            words: words that became known, in seconds from the first sample of the utterance. Their audio may have
                been before, or be yet to come.
        """
        self.words += words
        payload = Payload(audio, self, self.size)
        self.size += len(payload)
        return payload

    def finish(self, ended: Ended = "complete") -> None:
        """No more of it comes: so its sound has an end. Harmless when said twice."""
        if self.ended is None:
            self.ended = ended
            for tell in list(self._players):
                tell()

    # --- the player's side ---------------------------------------------------------------------------------

    def join(self, tell: Callable[[], None]) -> None:
        """Somebody begins to play it, and is to be told when it has ended."""
        self._players[tell] = None

    def leave(self, tell: Callable[[], None], *, cut: bool) -> None:
        """They play it no more: to its end, or cut."""
        self._players.pop(tell, None)
        if cut and not self.cut and not self._players:
            self.cut = True
            on_cut, self.on_cut = self.on_cut, None
            if on_cut is not None:
                on_cut()


class Payload(bytes):
    """A piece of voice (mu-law, 8000 Hz, mono) that knows what it is a piece of. Otherwise ordinary bytes."""

    utterance: Utterance
    position: int
    """Where it begins in the voice of the utterance, bytes."""

    def __new__(cls, audio: bytes, utterance: Utterance, position: int) -> Payload:
        payload = super().__new__(cls, audio)
        payload.utterance, payload.position = utterance, position
        return payload


def audio_of(payload: object) -> bytes:
    """The audio of what was queued: bytes, or base64 text as in Twilio's own messages.

    Raises:
        PayloadError: it is neither, or not audio as the phone takes it.
    """
    if isinstance(payload, Payload):
        return payload
    if isinstance(payload, str):
        try:
            audio = a2b_base64(payload, strict_mode=True)
        except (Base64Error, ValueError) as error:
            raise PayloadError(
                f"expected base64 text or bytes of audio, came the text {payload[:40]!r} ({error})"
            ) from None
    elif isinstance(payload, bytes | bytearray | memoryview):
        audio = bytes(payload)
        if len(audio) >= _TELLING and not audio.translate(None, _BASE64):
            raise PayloadError("expected bytes of audio or base64 text, came base64 as bytes: .decode() them")
    else:
        hint = "; take its .audio" if hasattr(payload, "audio") else ""
        raise PayloadError(f"expected bytes of audio or base64 text, came {type(payload).__name__}{hint}")
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        raise PayloadError(
            "expected mu-law samples without a header, came a WAV file: read it with voiceloop.audio.wav first"
        )
    return audio
