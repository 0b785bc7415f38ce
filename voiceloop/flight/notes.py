"""What an observer saw of a call, as plain values: with these a recording can be shown without its bot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voiceloop.answer import Answer
from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    AudioSent,
    Backchannel,
    ClearSent,
    Commit,
    Digit,
    Fault,
    Heard,
    Interruption,
    Pause,
    PlayoutStarted,
    Resume,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
    Watchdog,
)
from voiceloop.processor import Processor
from voiceloop.report import Turn

__all__ = ["FlightNotes"]


class FlightNotes(Processor):
    """Stands behind the pipeline and notes what passes.

    Args:
        note: takes each note, a dictionary with its kind under ``k``.
        sent: takes where each piece of audio for the caller belongs: its answer, when it will be heard, its first byte.
    """

    def __init__(self, note: Callable[[dict[str, Any]], None], sent: Callable[[int, float, int], None]) -> None:
        self._note = note
        self._sent = sent
        self._heard: dict[int, str] = {}  # of answers that are being heard

    async def start(self) -> None:
        """Hear of turns that are over."""
        self.call.on_turn(self._turn_over)

    def _turn_over(self, turn: Turn) -> None:
        self._note({"k": "turn", **turn.as_dict(), "answer": turn.answer})

    # --- the caller ---

    def on_speech_started(self, speech: SpeechStarted) -> None:
        self._note({"k": "speech", "at": speech.at})

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        self._note({"k": "pause", "at": speech.at})

    def on_transcript(self, heard: Transcript) -> None:
        if heard.text:
            self._note({"k": "transcript", "at": self.call.now, "text": heard.text, "final": heard.final})

    def on_user_turn(self, turn: UserTurn) -> None:
        times = (turn.started, turn.ended, turn.endpointed, turn.decided)
        note = {"k": "said", "text": turn.text, "times": times, "continued": turn.continued, "why": turn.why}
        self._note(note if turn.guessed is None else note | {"guessed": turn.guessed})

    def on_backchannel(self, aside: Backchannel) -> None:
        self._note({"k": "aside", "text": aside.text, "times": (aside.started, aside.ended)})

    def on_digit(self, digit: Digit) -> None:
        self._note({"k": "digit", "at": digit.at, "text": digit.shown})

    # --- the agent ---

    def on_answer_began(self, began: AnswerBegan) -> None:
        answer, turn = began.answer, began.answer.turn
        decided = None if turn is None or answer.speculative else turn.decided  # of a guess it is not known yet
        note = {"k": "answer", "at": self.call.now, "answer": answer.id, "decided": decided}
        self._note(note | {"speculative": True} if answer.speculative else note)

    def on_commit(self, commit: Commit) -> None:
        if (turn := commit.answer.turn) is not None:
            self._note({"k": "commit", "answer": commit.answer.id, "decided": turn.decided})

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        answer = ended.answer
        self._note(
            {"k": "ended", "answer": answer.id, "outcome": answer.outcome, "text": answer.text, **_stamps(answer)}
        )

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        answer = playout.answer
        self._note({"k": "playing", "answer": answer.id, "text": answer.text, **_stamps(answer)})

    def on_heard(self, heard: Heard) -> None:
        if not heard.final:
            self._heard_more(heard)
            return
        self._heard.pop(heard.answer.id, None)
        words = [(word.text, word.start, word.end) for word in heard.words]
        answer = heard.answer
        self._note(
            {"k": "heard", "answer": answer.id, "heard": heard.text, "unheard": heard.unheard, "words": words}
            | {"text": answer.text, **_stamps(answer)}
        )

    def _heard_more(self, heard: Heard) -> None:
        """A word or two: only what is new, for there are many of these."""
        before = self._heard.get(heard.answer.id, "")
        self._heard[heard.answer.id] = text = heard.text
        kept = len(before) if text.startswith(before) else 0
        self._note({"k": "hearing", "answer": heard.answer.id, "from": kept, "heard": text[kept:]})

    def on_interruption(self, interruption: Interruption) -> None:
        self._note({"k": "interruption", "at": self.call.now, "answer": interruption.answer.id})

    def on_pause(self, pause: Pause) -> None:
        self._note({"k": "held", "at": self.call.now, "answer": pause.answer.id})

    def on_resume(self, resume: Resume) -> None:
        self._note({"k": "resumed", "at": self.call.now, "answer": resume.answer.id})

    # --- the wire, and what went wrong ---

    def on_audio_sent(self, sent: AudioSent) -> None:
        self._sent(sent.answer.id, sent.at, sent.position)

    def on_clear_sent(self, clear: ClearSent) -> None:
        self._note({"k": "clear", "at": clear.at})

    def on_fault(self, fault: Fault) -> None:
        answer = 0 if fault.answer is None else fault.answer.id
        self._note({"k": "fault", "at": fault.at, "kind": fault.kind, "text": fault.message, "answer": answer})

    def on_watchdog(self, watchdog: Watchdog) -> None:
        answer = 0 if watchdog.answer is None else watchdog.answer.id
        times = {"at": self.call.now, "waited": watchdog.waited, "limit": watchdog.limit}
        self._note({"k": "watchdog", "kind": watchdog.kind, **times, "text": watchdog.detail, "answer": answer})


def _stamps(answer: Answer) -> dict[str, Any]:
    return {"stamps": dict(answer.milestones)}
