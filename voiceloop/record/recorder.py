"""Watches a call and makes its timeline."""

from __future__ import annotations

from voiceloop import wallclock
from voiceloop.answer import Answer
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
from voiceloop.keypad import HUSHED, Keypad
from voiceloop.processor import Processor
from voiceloop.record.placing import place_words
from voiceloop.record.timeline import AnswerLine, Span, Timeline, TimelineEvent, TurnLine
from voiceloop.record.track import SILENCE, Track
from voiceloop.report import CallReport, Turn

__all__ = ["TimelineRecorder"]

MAX_EVENTS = 50_000
"""Events kept; a call of half an hour with a mark for every word has a fifth of it."""
MAX_SECONDS = 4 * 3600.0
"""Audio kept of each voice."""


class TimelineRecorder(Processor):
    """Keeps what a call's picture shows: both voices, and everything that happened. Attach it before the call begins::

        recorder = TimelineRecorder()
        call.observe(recorder)
        call.on_end(lambda report: save(recorder.timeline(report)))

    It keeps 16 kB a second of the call in memory.
    """

    def __init__(self) -> None:
        self._zero = 0.0
        self._keypad = Keypad()
        self._line = Timeline()
        self._caller = Track(MAX_SECONDS)
        self._agent = Track(MAX_SECONDS)
        self._answers: dict[Answer, AnswerLine] = {}
        self._words: dict[Answer, tuple[Word, ...]] = {}
        self._turns: dict[int, Turn] = {}
        self._asked: list[tuple[UserTurn, TurnLine]] = []
        self._speaking: float | None = None

    # --- the call ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the time from which everything is counted."""
        call = self.call
        self._zero = call.began
        self._keypad = call.keypad
        self._line.call_id, self._line.caller, self._line.number = call.id, call.caller, call.number
        self._line.began = wallclock.now_iso()
        call.on_turn(self._turn_over)

    def on_call_end(self, end: CallEnd) -> None:
        """Close what is open."""
        if self._speaking is not None:
            self._line.speech.append(Span(self._speaking, self._at(self.call.now)))
            self._speaking = None

    def _turn_over(self, turn: Turn) -> None:
        self._turns[turn.answer] = turn

    def _at(self, when: float) -> float:
        return max(0.0, when - self._zero)

    def _note(self, at: float, kind: str, text: str = "", answer: Answer | None = None) -> None:
        if len(self._line.events) < MAX_EVENTS:
            self._line.events.append(TimelineEvent(self._at(at), kind, text, answer.id if answer is not None else 0))

    # --- the caller ----------------------------------------------------------------------------------------

    def on_caller_audio(self, audio: CallerAudio) -> None:
        hushed = self._keypad.hushed(audio.at)
        self._caller.put(self._at(audio.at), SILENCE * len(audio.audio) if hushed else audio.audio)

    def on_speech_started(self, speech: SpeechStarted) -> None:
        if self._speaking is None:
            self._speaking = self._at(speech.at)

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        if self._speaking is not None:
            self._line.speech.append(Span(self._speaking, max(self._speaking, self._at(speech.at))))
            self._speaking = None

    def on_transcript(self, transcript: Transcript) -> None:
        if transcript.text:
            self._note(self.call.now, "transcript", transcript.text)

    def on_user_turn(self, turn: UserTurn) -> None:
        started, ended, endpointed, decided = map(self._at, (turn.started, turn.ended, turn.endpointed, turn.decided))
        line = TurnLine(0, turn.text, started, ended, endpointed, decided, turn.continued, why=turn.why)
        line.guessed = None if turn.guessed is None else self._at(turn.guessed)
        self._line.turns.append(line)
        self._asked.append((turn, line))

    def on_backchannel(self, aside: Backchannel) -> None:
        self._note(aside.started, "aside", aside.text)

    def on_digit(self, digit: Digit) -> None:
        self._note(digit.at, "digit", digit.shown)
        if digit.secret:
            at = self._at(digit.at)
            self._caller.silence(at - HUSHED, at + HUSHED)

    # --- the agent -----------------------------------------------------------------------------------------

    def on_answer_began(self, began: AnswerBegan) -> None:
        answer = began.answer
        self._answers[answer] = AnswerLine(answer.id, "", self._at(self.call.now), early=answer.speculative)

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        self._agent.begins(playout.answer.id, self._at(playout.answer.milestones["played"]))

    def on_interruption(self, interruption: Interruption) -> None:
        answer = interruption.answer
        self._note(self.call.now, "interruption", answer=answer)
        if answer in self._answers:
            self._answers[answer].interrupted = self._at(self.call.now)

    def on_pause(self, pause: Pause) -> None:
        self._note(self.call.now, "pause", answer=pause.answer)

    def on_resume(self, resume: Resume) -> None:
        self._note(self.call.now, "resume", answer=resume.answer)

    def on_heard(self, heard: Heard) -> None:
        line = self._answers.get(heard.answer)
        if line is not None:
            line.heard, line.unheard = heard.text, heard.unheard
            if heard.words:
                self._words[heard.answer] = heard.words

    # --- the wire ------------------------------------------------------------------------------------------

    def on_audio_sent(self, sent: AudioSent) -> None:
        self._agent.put(self._at(sent.at), sent.audio, sent.answer.id, sent.position)

    def on_clear_sent(self, clear: ClearSent) -> None:
        self._agent.cut(self._at(clear.at))
        self._note(clear.at, "clear")

    def on_mark_sent(self, mark: MarkSent) -> None:
        self._note(mark.at, "mark", mark.name)

    def on_mark_echo(self, echo: MarkEcho) -> None:
        self._note(echo.at, "echo", echo.name)

    def on_watchdog(self, watchdog: Watchdog) -> None:
        text = f"{watchdog.kind}: nothing for {watchdog.waited:.2f} s (limit {watchdog.limit:g} s) {watchdog.detail}"
        self._note(watchdog.at, "watchdog", text.rstrip(), watchdog.answer)

    def on_fault(self, fault: Fault) -> None:
        self._note(fault.at, "fault", f"{fault.kind}: {fault.message}", fault.answer)

    # --- the result ----------------------------------------------------------------------------------------

    def timeline(self, report: CallReport) -> Timeline:
        """The timeline of the call that has ended, with what its report says."""
        line = self._line
        line.duration, line.reason = report.duration, report.reason
        self._caller.end(report.duration)
        self._agent.end(report.duration)
        line.caller_audio, line.agent_audio = bytes(self._caller.audio), bytes(self._agent.audio)
        line.answers = [self._finished(answer, made) for answer, made in self._answers.items()]
        line.words = []
        for answer, made in self._answers.items():
            line.words += place_words(made, self._words.get(answer, ()), self._agent.pieces)
        self._number_turns()
        noted = {(round(event.at, 3), event.text) for event in line.events if event.kind == "fault"}
        for fault in report.faults:  # those that harm nobody are recorded without being broadcast
            if (round(fault.at, 3), text := f"{fault.kind}: {fault.message}") not in noted:
                line.events.append(TimelineEvent(max(0.0, fault.at), "fault", text))
        line.events.sort(key=lambda event: event.at)
        return line

    def _finished(self, answer: Answer, line: AnswerLine) -> AnswerLine:
        line.text = answer.text
        line.outcome = answer.outcome or ""
        line.milestones = {
            name: self._at(at) for name, at in answer.milestones.items() if name in ("text", "audio", "sent", "played")
        }
        line.sounds = self._agent.sounds(answer.id)
        return line

    def _number_turns(self) -> None:
        by_turn = {id(answer.turn): answer.id for answer in self._answers if answer.turn is not None}
        for said, line in self._asked:
            line.answer = by_turn.get(id(said), 0)
            turn = self._turns.get(line.answer)
            if turn is not None:
                line.number = turn.number
                line.latency_ms = turn.latency.as_ms() if turn.latency is not None else None
