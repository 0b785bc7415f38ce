"""All that one simulated call left behind, and what follows from it: what the caller really heard of each answer."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from voiceloop.eventlog import EventLog
from voiceloop.report import CallReport
from voiceloop.sim.artificial import HeardWord, Lexicon
from voiceloop.sim.caller import Caller, Utterance
from voiceloop.sim.playback import RATE, Segment
from voiceloop.testing.witness import SentAudio, Witness

if TYPE_CHECKING:
    from voiceloop.sim.carrier import Carrier

__all__ = ["Evidence", "Injected", "PlayedPiece", "SpokenWord", "Voice"]

_LOST_IN_A_ROW = 2000
"""Pieces of voice that may be taken back in a row before they reach the carrier."""
_QUIET = re.compile(rb"[\x73-\x7f\xf3-\xff]+")


class Injected(NamedTuple):
    """Something that was made to go wrong."""

    at: float
    """When, seconds on the loop's clock."""
    fault: object
    """What: a fault of the line (`voiceloop.sim.line_faults`), of a provider, a tool or a handler
    (`voiceloop.testing.faulty`), or one of your own with ``excuses``; see `voiceloop.testing.excuses`."""


class PlayedPiece(NamedTuple):
    """A piece of an answer's voice that was heard."""

    position: int
    """Where it begins in the answer's voice, bytes."""
    size: int
    """Bytes."""
    at: float
    """When its first sample was heard, seconds on the loop's clock."""
    sent: int
    """Which of `Witness.sent` it is from."""


class SpokenWord(NamedTuple):
    """An artificial word in an answer's voice."""

    text: str
    start: int
    """Where it begins in the answer's voice, bytes."""
    end: int
    """One past its last byte."""
    heard_at: float | None
    """When its last sample was heard, seconds on the loop's clock; None when it was not heard whole."""


@dataclass(slots=True)
class Voice:
    """The voice of one answer: what was sent of it, and what of that was heard."""

    answer: int
    audio: bytearray = field(default_factory=bytearray, repr=False)
    """All that was sent, mu-law, from the first sample."""
    pieces: list[PlayedPiece] = field(default_factory=list)
    """What was heard, in the order of time."""
    words: list[SpokenWord] = field(default_factory=list)
    """Its artificial words; empty when the voice is not an artificial one."""

    def put(self, position: int, audio: bytes) -> None:
        """A piece was sent, perhaps again."""
        missing = position - len(self.audio)
        if missing > 0:
            self.audio += b"\xff" * missing
        self.audio[position : position + len(audio)] = audio

    def heard_at(self, start: int, end: int) -> float | None:
        """When the last byte of a range was heard, seconds; None when it was not heard in one piece."""
        reached = start
        for piece in self.pieces:
            if piece.position <= reached < piece.position + piece.size:
                reached = piece.position + piece.size
            if reached >= end:
                return piece.at + (end - piece.position) / RATE
            if piece.position > reached:
                return None
        return None

    @property
    def loud(self) -> bool:
        """Whether there is any sound in it."""
        return _QUIET.sub(b"", self.audio) != b""

    def sound_within(self, start: float, end: float) -> float | None:
        """When it is first loud in a stretch of time, seconds on the loop's clock."""
        for piece in self.pieces:
            until = piece.at + piece.size / RATE
            if until <= start or piece.at >= end:
                continue
            first = max(0, round((start - piece.at) * RATE))
            last = min(piece.size, round((end - piece.at) * RATE))
            audio = self.audio[piece.position + first : piece.position + last]
            quiet = _QUIET.match(audio)
            loud = quiet.end() if quiet else 0
            if loud < len(audio):
                return piece.at + (first + loud) / RATE
        return None


@dataclass
class Evidence:
    """What one call left. Times are seconds on the loop's clock."""

    witness: Witness
    """Stood behind the call's pipeline."""
    carrier: Carrier | None = None
    """The other end of the wire, with the truth of what was heard; None for a call without a line."""
    report: CallReport | None = None
    """None when the call has not ended."""
    utterances: Sequence[Utterance] = ()
    """What the caller said."""
    lexicon: Lexicon | None = None
    """Reads artificial speech; None when nobody spoke it."""
    faults: Sequence[Injected] = ()
    """What was made to go wrong."""
    left_behind: Sequence[str] = ()
    """Names of tasks, connections and servers that outlived the call."""
    log: EventLog | None = None
    """Every wake-up of the call."""
    skipped: list[str] = field(default_factory=list)
    """What `voiceloop.testing.check` could not look at, and why."""

    @classmethod
    def of(
        cls,
        witness: Witness,
        *,
        carrier: Carrier | None = None,
        caller: Caller | None = None,
        report: CallReport | None = None,
        lexicon: Lexicon | None = None,
        faults: Iterable[tuple[float, object]] = (),
        left_behind: Iterable[str] = (),
        log: EventLog | None = None,
    ) -> Evidence:
        """Gather what a call left.

        Args:
            witness: given to `Call.observe` before the call began.
            carrier: the line; not needed when there is a `caller`.
            caller: the person on it.
            report: of the bot's side; None when the call has not ended.
            lexicon: of the artificial speakers.
            faults: what was made to go wrong besides what the carrier itself injected: when, and what.
            left_behind: what outlived the call, by name.
            log: of the call's wake-ups.
        """
        carrier = caller.carrier if carrier is None and caller is not None else carrier
        injected = [*(carrier.injected if carrier is not None else ()), *faults]
        return cls(
            witness,
            carrier=carrier,
            report=report,
            utterances=tuple(caller.utterances) if caller is not None else (),
            lexicon=lexicon,
            faults=tuple(Injected(*each) for each in injected),
            left_behind=tuple(left_behind),
            log=log,
        )

    def skip(self, what: str) -> None:
        """Say that something could not be looked at."""
        if what not in self.skipped:
            self.skipped.append(what)

    # --- the line ------------------------------------------------------------------------------------------

    @property
    def round_trip(self) -> float:
        """There and back without jitter, seconds."""
        options = self.carrier.options if self.carrier is not None else None
        return options.delay_to_server + options.delay_from_server if options is not None else 0.0

    @property
    def jitter(self) -> float:
        """The most that is added to either way, seconds."""
        return self.carrier.options.jitter if self.carrier is not None else 0.0

    @cached_property
    def line_ended(self) -> float | None:
        """When the stream ended; None while it lasts, or without one."""
        if self.carrier is None or not self.carrier.ended:
            return None
        return max((entry.at for entry in self.carrier.truth.log if entry.kind == "end"), default=None)

    # --- what was heard --------------------------------------------------------------------------------------

    @cached_property
    def voices(self) -> dict[int, Voice]:
        """The voice of each answer of which anything was sent, by the answer's number."""
        voices: dict[int, Voice] = {}
        for sent in self.witness.sent:
            voice = voices.get(sent.answer)
            if voice is None:
                voice = voices[sent.answer] = Voice(sent.answer)
            voice.put(sent.position, sent.audio)
        if self.carrier is None:
            return voices
        for segment, index in self._matched():
            sent = self.witness.sent[index]
            at = self.carrier.truth.time_of(segment.start)
            voices[sent.answer].pieces.append(PlayedPiece(sent.position + segment.offset, segment.size, at, index))
        for voice in voices.values():
            voice.pieces.sort(key=lambda piece: piece.at)
            if self.lexicon is not None:
                voice.words = [
                    SpokenWord(word.text, word.start, word.end, voice.heard_at(word.start, word.end))
                    for word in _words_in(self.lexicon, bytes(voice.audio))
                ]
        return voices

    def _matched(self) -> Iterable[tuple[Segment, int]]:
        """Which piece of voice each stretch of sound on the line is from. Some were taken back on their way, so a
        piece is known by its length and by its samples."""
        assert self.carrier is not None
        playback, sent = self.carrier.playback, self.witness.sent
        messages: dict[int, list[Segment]] = {}
        for segment in playback.segments:
            messages.setdefault(segment.message, []).append(segment)
        place = 0
        for number in sorted(messages):
            segments = messages[number]
            found = next(
                (
                    index
                    for index in range(place, min(len(sent), place + _LOST_IN_A_ROW))
                    if _fits(sent[index], segments, playback.heard)
                ),
                None,
            )
            if found is not None:
                place = found + 1
            elif place and _fits(sent[place - 1], segments, playback.heard):  # it came twice
                found = place - 1
            else:
                self.skip(f"media message {number} is no piece of voice that was seen on its way")
                continue
            for segment in segments:
                if not segment.flushed and segment.size:
                    yield segment, found

    @cached_property
    def pieces(self) -> list[PlayedPiece]:
        """Everything that was heard, of all answers, in the order of time."""
        return sorted((piece for voice in self.voices.values() for piece in voice.pieces), key=lambda piece: piece.at)

    def piece_before(self, at: float) -> PlayedPiece | None:
        """What was last heard before a time."""
        index = bisect_right(self.pieces, at - 1 / RATE, key=lambda piece: piece.at)
        return self.pieces[index - 1] if index else None

    def piece_after(self, at: float) -> PlayedPiece | None:
        """What was first heard at a time or later."""
        index = bisect_right(self.pieces, at - 1 / RATE, key=lambda piece: piece.at)
        return self.pieces[index] if index < len(self.pieces) else None


def _words_in(lexicon: Lexicon, audio: bytes) -> Iterator[HeardWord]:
    """The whole words of a voice. One that follows a cut one without a pause is a word, too: that is how a voice goes
    on that takes another one's place."""
    for word in lexicon.listen(audio):
        if word.whole:
            yield word
            continue
        end = bytes(audio[word.start : word.end])
        for text, sound in lexicon._sounds.items():
            if len(sound) < len(end) and end.endswith(sound):
                yield HeardWord(text, word.end - len(sound), word.end, True)
                break


def _fits(sent: SentAudio, segments: Sequence[Segment], heard: bytearray) -> bool:
    audio = sent.audio
    if len(audio) != sum(segment.size for segment in segments):
        return False
    return all(
        segment.flushed
        or heard[segment.start : segment.start + segment.size] == audio[segment.offset : segment.offset + segment.size]
        for segment in segments
    )
