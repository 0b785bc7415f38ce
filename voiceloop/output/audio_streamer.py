"""The end of a pipeline: the voice of answers goes to the caller, and the call learns what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from voiceloop.answer import Answer, AnswerState
from voiceloop.errors import VoiceloopError
from voiceloop.frames import (
    AnswerEnd,
    AnswerEnded,
    Audio,
    AudioSent,
    CallEnd,
    CallStart,
    ClearSent,
    Commit,
    Heard,
    Interruption,
    MarkEcho,
    MarkSent,
    Pause,
    PlayoutFinished,
    PlayoutStarted,
    Resume,
    Word,
)
from voiceloop.output.events import (
    Assumed,
    Finished,
    Output,
    PlayoutOptions,
    SendClear,
    SendMark,
    SendMedia,
    Settled,
    Started,
)
from voiceloop.output.filled import FilledOutput
from voiceloop.output.heard import HeardLedger
from voiceloop.registry import Timer

__all__ = ["AudioStreamer", "Line"]


@runtime_checkable
class Line(Protocol):
    """What the streamer asks of a transport."""

    def send_media(self, payload: bytes) -> None: ...
    def send_mark(self, name: str) -> None: ...
    def send_clear(self) -> None: ...


class AudioStreamer(FilledOutput):
    """Sends audio ahead of real time by a bounded lead, with marks between, and keeps the record of what was heard.

    What the pipeline makes comes to it by itself; `queue_audio` takes more.

    Args:
        options: lead, chunk, and how long echoes are waited for.
    """

    def __init__(self, options: PlayoutOptions | None = None) -> None:
        super().__init__(options or PlayoutOptions())
        self._ledger = HeardLedger()
        self._given: dict[int, int] = {}
        self._told: dict[int, str] = {}  # what observers know to be heard of each answer
        self._timer: Timer | None = None
        self._wakeup: float | None = None
        self._line: Line | None = None

    async def start(self) -> None:
        """Find the line to speak through."""
        transport = self.call.transport
        if not isinstance(transport, Line):
            raise VoiceloopError(
                f"AudioStreamer speaks through call.transport, which needs send_media, send_mark and send_clear; "
                f"{type(transport).__name__} has not all of them."
            )
        self._line = transport
        self._playout.open = False

    def on_call_start(self, start: CallStart) -> None:
        """The line carries from here on: send what was said while others started."""
        super().on_call_start(start)
        self._playout.open = True
        self._run(self._playout.pump(self.call.now))

    # --- content -------------------------------------------------------------------------------------------

    def on_audio(self, audio: Audio) -> None:
        """Take a piece of an answer's voice."""
        answer = audio.answer
        self._take(answer)
        if audio.audio and self._feed:
            self._feed.voice()
        self._playout.queue(answer.id, audio.audio, audio.words)
        self._ledger.add_words(answer.id, audio.words)
        self._ledger.add_audio(answer.id, audio.audio)
        now, due = self.call.now, self._playout.due
        if due is not None and now < due and self._feeding is None:  # what was given before waits for room
            answer.buffered = self._playout.unplayed(answer.id, now)
        else:
            self._run(self._playout.pump(now))
        if audio.audio:
            self._sounds(answer)

    def on_answer_end(self, end: AnswerEnd) -> None:
        """No more of this answer comes."""
        if end.answer.id in self._answers:
            self._playout.finish(end.answer.id)
            self._run(self._playout.pump(self.call.now))
        elif end.answer.text:
            self.call.remember(end.answer, "", end.answer.text)
            self.push(Heard(end.answer, "", end.answer.text, final=True))

    def _add_words(self, answer: Answer, words: Sequence[Word]) -> None:
        self._playout.queue(answer.id, b"", words)
        self._ledger.add_words(answer.id, words)

    def _finish_voice(self, answer: Answer) -> None:
        self._playout.finish(answer.id)
        self.finish_answer(answer)
        self._run(self._playout.pump(self.call.now))

    def _take(self, answer: Answer) -> None:
        if answer.id not in self._answers:
            assert self._engine is not None
            self._engine.hold(answer)
            self._answers[answer.id] = answer
            self._watch(answer)
            if answer.state is AnswerState.SPECULATIVE:
                self._playout.hold(answer.id)

    # --- signals -------------------------------------------------------------------------------------------

    def on_mark_echo(self, echo: MarkEcho) -> None:
        """The carrier played up to a mark, or flushed it."""
        self._run(self._playout.echo(echo.name, echo.sequence, echo.at))
        for answer in self._answers.values():
            if "played" in answer.milestones:
                self._update(answer)

    def on_interruption(self, interruption: Interruption) -> None:
        """Stop the sound of a dead answer."""
        self._feed.ended(interruption.answer.id)
        self._run(self._playout.clear(self.call.now, keys=(interruption.answer.id,)))

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """Of a discarded answer nothing is heard; of a failed one, what was queued still is, unless held back."""
        answer = ended.answer
        self._feed.ended(answer.id)
        if (queued := self._queued.get(answer.id)) is not None:
            self._part(queued)
        if answer.id not in self._answers:
            self._queued.pop(answer.id, None)
            self._run(self._playout.clear(self.call.now, keys=(answer.id,)))  # it may have been paused before it came
            return
        if answer.outcome == "discarded" or answer.provisional:
            self._run(self._playout.clear(self.call.now, keys=(answer.id,)))
        elif answer.outcome == "failed":
            self._playout.finish(answer.id)
            self._run(self._playout.pump(self.call.now))

    def on_commit(self, commit: Commit) -> None:
        """A speculative answer may be heard."""
        self._playout.release(commit.answer.id)
        self._run(self._playout.pump(self.call.now))

    def on_pause(self, pause: Pause) -> None:
        """Hold the voice."""
        self._run(self._playout.clear(self.call.now, keep=True, keys=(pause.answer.id,)))

    def on_resume(self, resume: Resume) -> None:
        """Let it go on from the first unheard word."""
        self._run(self._playout.resume(self.call.now, keys=(resume.answer.id,)))

    def on_call_end(self, end: CallEnd) -> None:
        """Settle every answer with what is known, and send no more."""
        self._line = None
        self._end_watches()
        assert self._engine is not None
        for answer in list(self._answers.values()):
            cut = not self._playout.position(answer.id, self.call.now).complete
            self._update(answer, cut=cut, final=True)
            self._engine.end(answer, "interrupted")
            self._close(answer)
        self._end_queue()

    # --- carrying out what playout says ---------------------------------------------------------------------

    def _run(self, outputs: list[Output]) -> None:
        line = self._line
        if line is None:
            return
        now = self.call.now
        for each in self._answers.values():
            each.buffered = self._playout.unplayed(each.id, now)
        if outputs:
            self._carry_out(line, outputs)
        self._look_for_room()
        self._set_timer()
        if self._feed or self._feeding is not None:
            self._fill()

    def _carry_out(self, line: Line, outputs: list[Output]) -> None:
        now, due = self.call.now, self._playout.due
        for output in outputs:
            if isinstance(output, SendMedia):
                if due is not None and now >= due:
                    self.call.runtime.pacing.note(now, output.due - now, now - due)
                due = None
                self._send_media(output)
            elif isinstance(output, SendMark):
                self._stamp_sent(output.name)
                line.send_mark(output.name)
                self.push(MarkSent(output.name, now))
            elif isinstance(output, SendClear):
                due = None
                line.send_clear()
                self.call.playing.cleared(now)
                self.push(ClearSent(now + self._playout.round_trip))
            else:
                self._news(output)

    def _send_media(self, output: SendMedia) -> bool:
        if self._line is None:
            return False
        self._line.send_media(output.payload)
        self.call.playing.sent(output.due, output.payload, self._playout.round_trip)
        if (answer := self._answers.get(output.key) if output.key else self._nobody) is not None:
            heard_at = output.due + self._playout.round_trip
            self.push(AudioSent(answer, output.position, output.payload, heard_at))
        return True

    def _stamp_sent(self, name: str) -> None:
        kind, _, rest = name.partition(":")
        if kind == "s" and (answer := self._answers.get(int(rest.partition(":")[0]))) is not None:
            answer.stamp("sent", self.call.now)

    def _news(self, news: Assumed | Started | Finished | Settled) -> None:
        answer = self._answers.get(news.key)
        if answer is None:
            return
        if isinstance(news, Assumed):
            self._no_mark(answer, news)
        elif isinstance(news, Started):
            # As the caller's words, which are dated by their arrival: so a latency counts the way there and back.
            answer.stamp("played", news.at + self._playout.round_trip / 2)
            self._update(answer)
            self.push_up(PlayoutStarted(answer, news.at))
        elif isinstance(news, Settled):
            self._update(answer, cut=not news.complete, final=True)
            self.push_up(PlayoutFinished(answer, news.at, news.complete))
            self._close(answer)

    def _update(self, answer: Answer, *, cut: bool = False, final: bool = False) -> None:
        key = answer.id
        queued = self._queued.get(key)
        if queued is not None:
            self._follow(queued)
        given = self._given.get(key, 0)
        if len(answer.text) > given:
            self._ledger.add_text(key, answer.text[given:])
            self._given[key] = len(answer.text)
        self._ledger.follow(key, answer.script)
        position = self._playout.position(key, self.call.now)
        if answer.outcome == "failed" or (queued is not None and queued.given_up):
            # What was made of it was played: that is not all of its text.
            position = replace(position, complete=False, finished=False)
        heard = self._ledger.heard(key, position)
        self.call.remember(answer, heard.text, heard.unheard, cut, heard.off)
        if final or self._told.get(key) != heard.text:
            self._told[key] = heard.text
            words = self._ledger.words(key, heard) if final else ()
            self.push(Heard(answer, heard.text, heard.unheard, final, words, heard.off))

    def _close(self, answer: Answer) -> None:
        assert self._engine is not None
        self._answers.pop(answer.id, None)
        self._given.pop(answer.id, None)
        self._told.pop(answer.id, None)
        self._forget_voice(answer)
        if (queued := self._queued.pop(answer.id, None)) is not None:
            self._part(queued)
        self._ledger.forget(answer.id)
        answer.buffered = 0.0
        self._engine.release(answer)

    def _set_timer(self) -> None:
        wakeup = self._playout.next_wakeup()
        quiet = self._playout.runs_out(self.call.now)
        if quiet is not None and (wakeup is None or quiet < wakeup):
            wakeup = quiet  # what is left to be played is asked for, and nothing else may tell that it is over
        if wakeup == self._wakeup and (wakeup is None or self._timer is not None):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakeup = wakeup
        self._timer = None if wakeup is None else self.call.timer(wakeup, self._pump, "playout")

    def _pump(self) -> None:
        self._timer = None
        self._run(self._playout.pump(self.call.now))
