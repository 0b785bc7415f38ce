"""The timeline of a recorded call, from the recording alone: its bot is not needed, and nothing is driven again.

What an observer saw stands in the recording as notes. They are told to a `TimelineRecorder` in their order, as the
call would have done it, so that both make the same timeline of a call. Each voice is laid on its track as it was when
the call ran: the caller's by `MediaClock`, the agent's by the `SENT` entries behind its messages.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from voiceloop.answer import Answer
from voiceloop.conversation import Conversation
from voiceloop.flight.entries import SENT_PLACE, Entry, Kind
from voiceloop.flight.items import from_json
from voiceloop.flight.reader import BadFlight, Flight
from voiceloop.flight.timeline_facts import Facts
from voiceloop.flight.timeline_report import report_from, turn_from
from voiceloop.frames import (
    AnswerBegan,
    AudioSent,
    Backchannel,
    CallEnd,
    CallerAudio,
    ClearSent,
    Digit,
    Fault,
    Heard,
    Interruption,
    MarkEcho,
    MarkSent,
    Pause,
    PlayoutStarted,
    Resume,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
    Watchdog,
    Word,
)
from voiceloop.language import LanguageError
from voiceloop.languages import language_of
from voiceloop.latency import latency_of
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import TimelineEvent
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.report import CallReport, Turn
from voiceloop.twilio.media_clock import MediaClock

__all__ = ["report_of", "timeline_of"]

RATE = 8000


def report_of(flight: Flight) -> CallReport | None:
    """The call's report; None when the recording breaks off before the call ends.

    Raises:
        BadFlight: it cannot be read.
    """
    values = flight.report
    if values is None:
        return None
    try:
        return report_from(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFlight(f"{flight.path}: its report cannot be read ({error!r}): {_VERSION}") from None


def timeline_of(flight: Flight) -> DetailedTimeline:
    """The timeline of a recorded call, up to where the recording ends.

    Of a recording that breaks off, what was being said then stands as heard as far as it was, the rest as unheard.

    Raises:
        BadFlight: an entry cannot be read.
    """
    reading = _Reading(flight)
    for entry in flight.entries:
        try:
            reading.take(entry)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            at = entry.at - reading.zero
            raise BadFlight(f"{flight.path}: an entry at {at:.3f} s cannot be read ({error!r}): {_VERSION}") from None
    return reading.finished(report_of(flight))


_VERSION: Final = "was it written by another version?"


class _Told(TimelineRecorder):
    """A recorder outside of a call: `_Reading` tells it what passed."""

    line: DetailedTimeline

    def __init__(self, flight: Flight, zero: float) -> None:
        super().__init__()
        header = flight.header
        call = header["call"]
        self._zero = zero
        self._line = self.line = DetailedTimeline(
            call_id=call["id"],
            caller=call["caller"],
            number=call["number"],
            began=header["began"],
            whole=flight.whole,
            redacted=flight.redacted,
            providers={kind: provider["name"] for kind, provider in header["providers"].items()},
            unfinished=_unfinished(call["language"]),
        )
        self.now = zero

    @property
    def call(self) -> Any:
        """What the recorder asks its call for is the time."""
        return self


def _unfinished(tag: str) -> frozenset[str]:
    try:
        return language_of(tag).cues.unfinished
    except LanguageError:  # one of the bot's own
        return frozenset()


class _Reading:
    """Goes through a recording."""

    def __init__(self, flight: Flight) -> None:
        try:
            self.zero = zero = float(flight.header["at"])
            self.told = _Told(flight, zero)
            self._before = len(flight.header.get("brought", {}).get("turns", ()))  # turns on other lines
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadFlight(f"{flight.path}: its header cannot be read ({error!r}): {_VERSION}") from None
        self._facts = Facts(self.told.line, zero)
        self._last = zero
        self._clock = MediaClock()
        self._sending: deque[bytes] = deque()  # audio for the caller whose place is not known yet
        self._asked: dict[float, UserTurn] = {}  # turns of the caller by when they were decided
        self._answers: dict[int, Answer] = {}
        self._turns: list[Turn] = []
        self._hearing: dict[int, str] = {}  # what was heard so far of answers that are not over
        self._final: set[int] = set()  # answers of which nothing more will be heard

    def take(self, entry: Entry) -> None:
        """The next entry."""
        self._last = self.told.now = entry.at
        self._facts.take(entry)
        act = _ENTRIES.get(entry.kind)
        if act is not None:
            act(self, entry)

    def finished(self, report: CallReport | None) -> DetailedTimeline:
        """The timeline; `report` is None when there is none."""
        told = self.told
        if report is None:
            told.on_call_end(CallEnd(""))
            self._break_off()
            report = CallReport("", "", self._last - self.zero, Conversation(), self._turns)
        told.timeline(report)
        told.line.listed = report.turns
        if not told.line.whole:
            self._add_failures()
            told.line.duration = self._last - self.zero
        told.line.events.sort(key=lambda event: event.at)
        return told.line

    @property
    def _next(self) -> int:
        """The number of the next turn, within the call."""
        return self._before + len(self._turns) + 1

    def _break_off(self) -> None:
        """What was going on: how far it was heard is known, and the rest is not heard yet."""
        for number, answer in self._answers.items():
            written = self._facts.written.get(number, "")
            if answer.outcome is None and len(written) > len(answer.text):
                answer.text = written
            if number not in self._final and "played" in answer.milestones and answer.text:
                heard = self._hearing.get(number, "")
                rest = answer.text.removeprefix(heard).strip()
                self.told.on_heard(Heard(answer, heard, rest))
                self._open_turn(answer, heard, rest)

    def _open_turn(self, answer: Answer, heard: str, rest: str) -> None:
        """The turn that an answer is to, and was not over: its wait is known."""
        said = answer.turn
        if said is None or any(turn.answer == answer.id for turn in self._turns):
            return
        times = {"ended": said.ended, "endpointed": said.endpointed, "decided": said.decided}
        latency = latency_of({**answer.milestones, **times})
        turn = Turn(self._next, said.text, heard=heard, unheard=rest, latency=latency, answer=answer.id)
        self._turns.append(turn)
        self.told._turn_over(turn)

    def _add_failures(self) -> None:
        """Those that harmed nobody stand in the report only: of a call without one, what providers raised."""
        line = self.told.line
        for failure in line.failures:
            known = any(event.kind == "fault" and failure.text in event.text for event in line.events)
            if not known:
                name = line.providers.get(failure.kind, failure.kind)
                line.events.append(TimelineEvent(failure.at, "fault", f"{name}.failed: {failure.text}"))

    # --- the line ---

    def _moment(self, entry: Entry) -> None:
        if entry.text == "end":
            self.told.line.over = entry.at - self.zero
            self.told.on_call_end(CallEnd(""))

    def _audio_in(self, entry: Entry) -> None:
        at = self._clock.speech_time(entry.number, len(entry.content) / RATE, entry.at)
        self.told.on_caller_audio(CallerAudio(entry.content, at))

    def _other_in(self, entry: Entry) -> None:
        try:
            message = json.loads(entry.text)
            if message["event"] == "mark":
                sequence = int(message.get("sequenceNumber", 0))
                self.told.on_mark_echo(MarkEcho(str(message["mark"]["name"]), sequence, entry.at))
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            return  # the call has refused it, too

    def _audio_out(self, entry: Entry) -> None:
        self._sending.append(entry.content)

    def _mark_out(self, entry: Entry) -> None:
        self.told.on_mark_sent(MarkSent(entry.text, entry.at))

    def _sent(self, entry: Entry) -> None:
        if self._sending:  # after the caller's hang-up there is a place, and nothing is sent
            at, position = SENT_PLACE.unpack(entry.content)
            self.told.on_audio_sent(AudioSent(self._answer(entry.number), position, self._sending.popleft(), at))

    # --- notes ---

    def _note(self, entry: Entry) -> None:
        note = from_json(entry.content)
        act = _NOTES.get(note["k"])
        if act is not None:
            act(self, note)

    def _answer(self, number: int, note: dict[str, Any] | None = None) -> Answer:
        answer = self._answers.get(number)
        if answer is None:
            answer = self._answers[number] = Answer(number)
        if note is not None:
            answer.text = note["text"]
            answer.milestones = note["stamps"]
        return answer

    def _transcript(self, note: dict[str, Any]) -> None:
        self.told.now = note["at"]
        self.told.on_transcript(Transcript(note["text"], note["final"]))

    def _said(self, note: dict[str, Any]) -> None:
        started, ended, endpointed, decided = note["times"]
        turn = UserTurn(note["text"], started, ended, endpointed, decided, note["continued"])
        turn.guessed, turn.why = note.get("guessed"), note.get("why", "")
        self._asked[decided] = turn
        self.told.on_user_turn(turn)

    def _began(self, note: dict[str, Any]) -> None:
        decided = note["decided"]
        turn = None if decided is None else self._asked.get(decided)
        early = note.get("speculative", False)
        answer = self._answers[note["answer"]] = Answer(note["answer"], turn=turn, speculative=early)
        if turn is not None or early:
            self._facts.answer_began(answer.id)
        self.told.now = note["at"]
        self.told.on_answer_began(AnswerBegan(answer))

    def _committed(self, note: dict[str, Any]) -> None:
        self._answer(note["answer"]).turn = self._asked.get(note["decided"])

    def _playing(self, note: dict[str, Any]) -> None:
        answer = self._answer(note["answer"], note)
        self.told.on_playout_started(PlayoutStarted(answer, answer.milestones["played"]))

    def _more_heard(self, note: dict[str, Any]) -> None:
        number = note["answer"]
        self._hearing[number] = self._hearing.get(number, "")[: note["from"]] + note["heard"]

    def _heard(self, note: dict[str, Any]) -> None:
        answer = self._answer(note["answer"], note)
        self._final.add(answer.id)
        words = tuple(Word(*word) for word in note["words"])
        self.told.on_heard(Heard(answer, note["heard"], note["unheard"], final=True, words=words))

    def _ended(self, note: dict[str, Any]) -> None:
        self._answer(note["answer"], note).outcome = note["outcome"]

    def _interruption(self, note: dict[str, Any]) -> None:
        self.told.now = note["at"]
        self.told.on_interruption(Interruption(self._answer(note["answer"])))

    def _held(self, note: dict[str, Any]) -> None:
        self.told.now = note["at"]
        self.told.on_pause(Pause(self._answer(note["answer"])))

    def _resumed(self, note: dict[str, Any]) -> None:
        self.told.now = note["at"]
        self.told.on_resume(Resume(self._answer(note["answer"])))

    def _fault(self, note: dict[str, Any]) -> None:
        answer = self._answer(note["answer"]) if note["answer"] else None
        self.told.on_fault(Fault(note["kind"], note["text"], answer=answer, at=note["at"]))

    def _watchdog(self, note: dict[str, Any]) -> None:
        answer = self._answer(note["answer"]) if note["answer"] else None
        self._facts.watchdog(note)
        self.told.on_watchdog(Watchdog(note["kind"], note["waited"], note["limit"], answer, note["text"], note["at"]))

    def _turn(self, note: dict[str, Any]) -> None:
        turn = turn_from(self._next, note)
        self._turns.append(turn)
        self.told._turn_over(turn)


_ENTRIES: Final[dict[Kind, Callable[[_Reading, Entry], None]]] = {
    Kind.MOMENT: _Reading._moment,
    Kind.MEDIA_IN: _Reading._audio_in,
    Kind.OTHER_IN: _Reading._other_in,
    Kind.MEDIA_OUT: _Reading._audio_out,
    Kind.MARK_OUT: _Reading._mark_out,
    Kind.SENT: _Reading._sent,
    Kind.NOTE: _Reading._note,
}
_NOTES: Final[dict[str, Callable[[_Reading, dict[str, Any]], None]]] = {
    "speech": lambda reading, note: reading.told.on_speech_started(SpeechStarted(note["at"])),
    "pause": lambda reading, note: reading.told.on_speech_paused(SpeechPaused(note["at"])),
    "digit": lambda reading, note: reading.told.on_digit(Digit(note["text"], note["at"], note["text"] == "x")),
    "clear": lambda reading, note: reading.told.on_clear_sent(ClearSent(note["at"])),
    "transcript": _Reading._transcript,
    "said": _Reading._said,
    "aside": lambda reading, note: reading.told.on_backchannel(Backchannel(note["text"], *note["times"])),
    "answer": _Reading._began,
    "commit": _Reading._committed,
    "playing": _Reading._playing,
    "hearing": _Reading._more_heard,
    "heard": _Reading._heard,
    "ended": _Reading._ended,
    "interruption": _Reading._interruption,
    "held": _Reading._held,
    "resumed": _Reading._resumed,
    "fault": _Reading._fault,
    "watchdog": _Reading._watchdog,
    "turn": _Reading._turn,
}
