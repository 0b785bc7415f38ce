"""Frames: what travels through a pipeline.

Two lanes. A *signal* tells what happened (the caller's audio, a transcript, an interruption): it is never
queued behind content, never dropped, and the engine forwards it after each handler. *Content* is text or audio
of one answer of the agent: it stays in order, is consumed by the processor that handles it, and is dropped the
moment its answer is dead.

All times named ``at`` are seconds on the clock of the event loop (`loop.time`). Frames compare by identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceloop.answer import Answer

__all__ = [
    "AnswerBegan",
    "AnswerEnd",
    "AnswerEnded",
    "Audio",
    "AudioSent",
    "Backchannel",
    "Broadcast",
    "CallEnd",
    "CallStart",
    "CallerAudio",
    "ClearSent",
    "Commit",
    "Content",
    "Digit",
    "Expecting",
    "Fault",
    "Filling",
    "Frame",
    "Heard",
    "Interruption",
    "MarkEcho",
    "MarkSent",
    "Pause",
    "PlayoutFinished",
    "PlayoutStarted",
    "Resume",
    "Signal",
    "Speculation",
    "SpeechPaused",
    "SpeechStarted",
    "Text",
    "Transcript",
    "UserTurn",
    "Watchdog",
    "Word",
]


class Frame:
    """The root of all frames. Subclass `Signal` or `Content`, never this."""

    __slots__ = ()


class Signal(Frame):
    """What happened. Overtakes content, is never dropped, reaches every processor further along."""

    __slots__ = ()


class Broadcast(Signal):
    """A signal that reaches every processor of the call, in list order, from wherever it was pushed."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Content(Frame):
    """Text or audio of one answer of the agent, in order. Subclasses add their fields after `answer`."""

    answer: Answer
    """The answer this is a part of; the frame is dropped wherever it is once that answer is dead."""


# --- broadcasts ---------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class CallStart(Broadcast):
    """All processors have started; media is about to be read."""


@dataclass(slots=True, eq=False)
class CallEnd(Broadcast):
    """The call is over. Tasks of the call are cancelled right after this was delivered."""

    reason: str
    """``completed``, ``hung up``, ``caller hung up``, ``disconnected``, ``failed``, ``max length``, …"""


@dataclass(slots=True, eq=False)
class Interruption(Broadcast):
    """An answer was cut off. It is already dead when this arrives."""

    answer: Answer


@dataclass(slots=True, eq=False)
class Pause(Broadcast):
    """Hold the voice of this answer; keep what was sent but not yet heard. Only the streamer acts on it."""

    answer: Answer


@dataclass(slots=True, eq=False)
class Resume(Broadcast):
    """Go on from the first word of this answer that was not heard."""

    answer: Answer


@dataclass(slots=True, eq=False)
class Filling(Broadcast):
    """A soft sound is to be heard where the line would be silent. Only the streamer acts on it."""

    number: int
    """Of who wants it, for `audio` or nothing to be said again."""
    audio: bytes = b""
    """Mu-law, 8000 Hz, mono, played again and again; empty: it is not wanted any more."""
    after: float = 0.0
    """Seconds of silence before it begins."""
    answer: Answer | None = None
    """Ends with this one."""
    last: bool = False
    """Whether it ends with the next voice that comes."""


@dataclass(slots=True, eq=False)
class AnswerBegan(Broadcast):
    """The agent begins to answer, or to say something by itself."""

    answer: Answer


@dataclass(slots=True, eq=False)
class AnswerEnded(Broadcast):
    """An answer has ended, exactly once: see `Answer.outcome`."""

    answer: Answer


@dataclass(slots=True, eq=False)
class Fault(Broadcast):
    """Something failed. Holds formatted text, never the exception, so that it keeps nothing alive."""

    kind: str
    """What failed, stable enough to count by: ``<processor>.<handler>``, ``<provider>.stalled``, …"""
    message: str
    """One line for a person: what was expected, what came, what to do."""
    detail: str = ""
    """The formatted traceback, if there was one."""
    answer: Answer | None = None
    """The answer the failed work belonged to, if any."""
    at: float = 0.0
    """When, seconds on the loop's clock."""


@dataclass(slots=True, eq=False)
class Watchdog(Broadcast):
    """Something that was waited for did not come within its limit. What follows: see `voiceloop.watchdogs`."""

    kind: str
    """What for: ``no_transcript``, ``model_silent``, ``voice_silent``, ``no_mark``, ``no_audio``, ``loop_held``."""
    waited: float
    """How long in vain, seconds; of ``loop_held``, how long nothing else could run."""
    limit: float
    """What it was set to, seconds."""
    answer: Answer | None = None
    """The answer it is about, if any."""
    detail: str = ""
    """One line for a person, where there is more to tell."""
    at: float = 0.0
    """When, seconds on the loop's clock."""


@dataclass(slots=True, eq=False)
class UserTurn(Broadcast):
    """The caller has finished a turn: time to answer."""

    text: str
    started: float
    """When the caller began to speak, seconds."""
    ended: float
    """When the last sample of speech was spoken, seconds."""
    endpointed: float
    """When the silence after it was held to be long enough, seconds."""
    decided: float
    """When the turn was over: endpointed, and the recogniser had answered for all of it, seconds."""
    continued: bool = False
    """True when it takes the place of the turn before, whose answer nobody heard: the caller went on speaking."""
    withdrawn: bool = False
    """True once the caller goes on speaking before an answer to it is heard: the next turn will be a continued one."""
    guessed: float | None = None
    """When it was first guessed right and an answer to it begun, seconds; None when it was answered once it was over.
    """
    why: str = ""
    """What made the silence after it as long as it was, for people: see `Wait.why`."""


@dataclass(slots=True, eq=False)
class Expecting(Broadcast):
    """The bot knows what the next turn of the caller will be like: see `Call.expect`."""

    what: Any
    """`voiceloop.turns.expect.Expect`, or None to expect nothing any more."""


@dataclass(slots=True, eq=False)
class Speculation(Broadcast):
    """What the caller has said looks like a whole turn: an answer may be begun, of which nothing is heard yet.

    A `UserTurn` follows with the same `turn` when it was one. Else every answer to it is discarded.
    """

    turn: UserTurn
    """As it stands: its end is not certain, and `decided` is when the guess was made."""


@dataclass(slots=True, eq=False)
class Backchannel(Broadcast):
    """The caller has shown that they listen ("mhm", "okay") while the agent spoke, and did not take the turn."""

    text: str
    started: float
    """First sample of it, seconds."""
    ended: float
    """Last sample of it, seconds."""


@dataclass(slots=True, eq=False)
class Commit(Broadcast):
    """A speculative answer may be heard from now on."""

    answer: Answer


@dataclass(slots=True, eq=False)
class PlayoutStarted(Broadcast):
    """The first sound of an answer reached the caller."""

    answer: Answer
    at: float
    """When, seconds on the loop's clock, as estimated from the echo of a mark."""


@dataclass(slots=True, eq=False)
class PlayoutFinished(Broadcast):
    """The last sound of an answer reached the caller, or it was cut; what was heard of it is final."""

    answer: Answer
    at: float
    """When its sound ended, seconds on the loop's clock."""
    complete: bool
    """True when it was played to its end."""


# --- signals ------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class CallerAudio(Signal):
    """A piece of the caller's audio, as it came from the phone."""

    audio: bytes
    """Mu-law, 8000 Hz, mono: one byte a sample. Usually 160 bytes (20 ms)."""
    at: float
    """When its first sample was spoken, seconds on the loop's clock, from the carrier's media timestamp."""


@dataclass(slots=True, eq=False)
class SpeechStarted(Signal):
    """Voice activity began."""

    at: float
    """When the first sample of speech was spoken, seconds."""


@dataclass(slots=True, eq=False)
class SpeechPaused(Signal):
    """A first short silence after speech. The turn may or may not be over; recognition starts now."""

    at: float
    """When the last sample of speech was spoken, seconds (before the silence)."""


@dataclass(slots=True, eq=False)
class Transcript(Signal):
    """What a recogniser understood.

    A later transcript of the same segment replaces an earlier one; segments follow each other in an utterance, and
    utterances in the call.
    """

    text: str
    final: bool = False
    """True when this segment will not be revised."""
    segment: int = 0
    """Number of the segment within its utterance, from 0."""
    settled: bool = False
    """True when the recogniser has answered for all audio up to the last flush."""
    words: tuple[Word, ...] = ()
    """When final: its words with their times, in seconds from the first sample the recogniser was given; empty for a
    recogniser that does not say."""
    utterance: int | None = None
    """Number of the utterance within the call, from 0; a recogniser that listens to the whole call has a single one.
    Set by the stage that runs the recogniser. None when it is not known."""
    anew: bool = False
    """True when the utterance is recognised a second time, from its begin: what was said of it before counts no more,
    also what was final. Set likewise."""


@dataclass(slots=True, eq=False)
class Digit(Signal):
    """A key the caller pressed: one of ``0-9*#A-D``."""

    digit: str
    at: float
    secret: bool = False
    """Whether it is kept out of all that is written."""

    @property
    def shown(self) -> str:
        """As it may be written: ``x`` for a secret one."""
        return "x" if self.secret else self.digit

    def __repr__(self) -> str:
        return f"Digit({self.shown!r}, {self.at!r}{', secret=True' if self.secret else ''})"


@dataclass(slots=True, eq=False)
class MarkEcho(Signal):
    """The carrier echoes a mark: all audio before it was played, or it was flushed by a clear."""

    name: str
    sequence: int
    """The carrier's sequence number of the echo. Echoes with consecutive numbers came in one burst."""
    at: float
    """When it arrived, seconds."""


# --- signals of the streamer, for observers behind it ---------------------------------------------------------


@dataclass(slots=True, eq=False)
class AudioSent(Signal):
    """A piece of an answer's voice went to the carrier."""

    answer: Answer
    """Of a filler (see `voiceloop.filler`), one with the number 0, which is none of the call's."""
    position: int
    """Where it begins in the answer's voice, bytes; audio that is sent again has the same position again."""
    audio: bytes
    """Mu-law, 8000 Hz, mono."""
    at: float
    """When its first sample will be heard if no clear takes it back, seconds. Like the caller's words it is dated by
    when news of it reach the call: so the distance between the two is what the caller waited."""


@dataclass(slots=True, eq=False)
class MarkSent(Signal):
    """A mark went to the carrier, behind all audio sent so far."""

    name: str
    at: float
    """When, seconds."""


@dataclass(slots=True, eq=False)
class ClearSent(Signal):
    """A clear went to the carrier: audio that was not played is dropped."""

    at: float
    """From when on nothing sent before is heard, seconds, dated like `AudioSent.at`."""


@dataclass(slots=True, eq=False)
class Heard(Signal):
    """What the caller has heard of an answer so far."""

    answer: Answer
    text: str
    """Heard, in the words the model wrote."""
    unheard: str
    """Written, and not heard (yet)."""
    final: bool = False
    """True when nothing of this will change."""
    words: tuple[Word, ...] = ()
    """When final: the words that were heard, as the model wrote them. Times count from the first sample of the
    answer's voice. Empty for a voice without word times."""
    bound: int = 0
    """By at most so many words `text` may be off."""


# --- content ------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Text(Content):
    """A piece of an answer's text as the model writes it, with its own spaces."""

    text: str


@dataclass(slots=True, frozen=True)
class Word:
    """A spoken word and when it is spoken."""

    text: str
    start: float
    """Seconds from the first sample of the voice stream it belongs to."""
    end: float
    """Seconds from the same origin; not before `start`."""


@dataclass(slots=True, eq=False)
class Audio(Content):
    """A piece of an answer's voice, ready for the phone."""

    audio: bytes
    """Mu-law, 8000 Hz, mono."""
    words: tuple[Word, ...] = ()
    """Words that became known with this piece. Times count from the first sample of the answer's voice."""
    silent: bool = False
    """True for sound that says nothing (a filler, a tone): it is played, and no words are expected of it."""


@dataclass(slots=True, eq=False)
class AnswerEnd(Content):
    """No more content of this answer follows. Pushed by the engine, forwarded by it past every handler."""
