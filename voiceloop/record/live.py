"""Tells what happens in a call while it happens, as plain values: what the talk page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voiceloop.answer import Answer
from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    Backchannel,
    CallEnd,
    CallerAudio,
    CallStart,
    Digit,
    Fault,
    Heard,
    Interruption,
    Pause,
    PlayoutFinished,
    PlayoutStarted,
    Resume,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
)
from voiceloop.processor import Processor
from voiceloop.report import CallReport, Turn

__all__ = ["LiveEvents"]

Event = dict[str, Any]


class LiveEvents(Processor):
    """Calls `tell` with each event of a call. Attach it with `Call.observe` before the call begins.

    Every event has ``at`` (seconds since the call began) and ``kind``; more by kind:

    - ``began``: id, caller, number
    - ``speech``: speaking (bool), when
    - ``transcript``: text (of the utterance's segment so far), segment, final, settled
    - ``turn``: text, started, ended, endpointed, decided, continued
    - ``answer``: answer (number), to_turn (bool)
    - ``text``: answer, text (all that was written so far)
    - ``playout``: answer, playing (bool), when, complete
    - ``heard``: answer, heard, unheard, final
    - ``interruption``, ``pause``, ``resume``: answer
    - ``over``: answer, outcome
    - ``waited``: number, answer, caller, heard, unheard, interrupted, latency_ms (total and parts, or null): a turn is
      complete
    - ``aside``: text, started, ended: words over the agent that took no turn
    - ``digit``: digit
    - ``fault``: fault (its kind), message
    - ``ended``: reason, duration
    """

    def __init__(self, tell: Callable[[Event], object]) -> None:
        self._tell = tell
        self._zero = 0.0
        self._written: dict[Answer, int] = {}  # how much of each answer's text was told

    async def start(self) -> None:
        """Ask for what the signals do not say."""
        self._zero = self.call.began
        self.call.on_turn(self._turn_over)
        self.call.on_end(self._ended)

    def _event(self, kind: str, **more: Any) -> None:
        self._tell({"at": self._at(self.call.now), "kind": kind, **more})

    def _at(self, when: float) -> float:
        return round(max(0.0, when - self._zero), 4)

    def on_call_start(self, start: CallStart) -> None:
        call = self.call
        self._event("began", id=call.id, caller=call.caller, number=call.number)

    # --- the caller ----------------------------------------------------------------------------------------

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Fifty times a second: a good moment to see what has been written."""
        for answer in self._written:
            self._text(answer)

    def on_speech_started(self, speech: SpeechStarted) -> None:
        self._event("speech", speaking=True, when=self._at(speech.at))

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        self._event("speech", speaking=False, when=self._at(speech.at))

    def on_transcript(self, transcript: Transcript) -> None:
        self._event(
            "transcript",
            text=transcript.text,
            segment=transcript.segment,
            final=transcript.final,
            settled=transcript.settled,
        )

    def on_user_turn(self, turn: UserTurn) -> None:
        self._event(
            "turn",
            text=turn.text,
            started=self._at(turn.started),
            ended=self._at(turn.ended),
            endpointed=self._at(turn.endpointed),
            decided=self._at(turn.decided),
            continued=turn.continued,
        )

    def on_backchannel(self, aside: Backchannel) -> None:
        self._event("aside", text=aside.text, started=self._at(aside.started), ended=self._at(aside.ended))

    def on_digit(self, digit: Digit) -> None:
        self._event("digit", digit=digit.shown)

    # --- the agent -----------------------------------------------------------------------------------------

    def on_answer_began(self, began: AnswerBegan) -> None:
        self._written[began.answer] = 0
        self._event("answer", answer=began.answer.id, to_turn=began.answer.turn is not None)

    def _text(self, answer: Answer) -> None:
        if len(answer.text) != self._written[answer]:
            self._written[answer] = len(answer.text)
            self._event("text", answer=answer.id, text=answer.text)

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        self._event("playout", answer=playout.answer.id, playing=True, when=self._at(playout.at), complete=False)

    def on_playout_finished(self, playout: PlayoutFinished) -> None:
        self._event(
            "playout",
            answer=playout.answer.id,
            playing=False,
            when=self._at(playout.at),
            complete=playout.complete,
        )

    def on_heard(self, heard: Heard) -> None:
        if heard.answer in self._written:
            self._text(heard.answer)
        self._event("heard", answer=heard.answer.id, heard=heard.text, unheard=heard.unheard, final=heard.final)

    def on_interruption(self, interruption: Interruption) -> None:
        self._event("interruption", answer=interruption.answer.id)

    def on_pause(self, pause: Pause) -> None:
        self._event("pause", answer=pause.answer.id)

    def on_resume(self, resume: Resume) -> None:
        self._event("resume", answer=resume.answer.id)

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        if ended.answer in self._written:
            self._text(ended.answer)
            del self._written[ended.answer]
        self._event("over", answer=ended.answer.id, outcome=ended.answer.outcome)

    # --- the call ------------------------------------------------------------------------------------------

    def on_fault(self, fault: Fault) -> None:
        self._event("fault", fault=fault.kind, message=fault.message)

    def on_call_end(self, end: CallEnd) -> None:
        self._written.clear()

    def _turn_over(self, turn: Turn) -> None:
        self._event("waited", number=turn.number, answer=turn.answer, **turn.as_dict())

    def _ended(self, report: CallReport) -> None:
        at = round(report.duration, 4)
        self._tell({"at": at, "kind": "ended", "reason": report.reason, "duration": round(report.duration, 3)})
