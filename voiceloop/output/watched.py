"""Watchdogs where the voice leaves: a voice that falls silent, marks that never come back, a loop that is held."""

from __future__ import annotations

from voiceloop.answer import Answer
from voiceloop.frames import CallStart
from voiceloop.output.events import Assumed, PlayoutOptions
from voiceloop.output.playout import Playout
from voiceloop.output.queued import QueuedAudio
from voiceloop.output.voice_limit import VoiceLimit
from voiceloop.registry import Timer
from voiceloop.watch_loop import Held, LoopWatch
from voiceloop.watchdogs import bark

__all__ = ["WatchedOutput"]


class WatchedOutput(QueuedAudio):
    """The part of `AudioStreamer` that sees to it that nothing is waited for in vain."""

    def __init__(self, options: PlayoutOptions) -> None:
        super().__init__()
        self.options = options
        self._answers: dict[int, Answer] = {}
        self._watches: dict[int, Timer] = {}
        self._loop_watch: LoopWatch | None = None

    @property
    def options(self) -> PlayoutOptions:
        """Lead, chunk, and how long echoes are waited for. May be set before the call begins."""
        return self._playout.options

    @options.setter
    def options(self, options: PlayoutOptions) -> None:
        self.held_limit = options.held_limit
        self._playout = Playout(options)
        self._voices = VoiceLimit(options.voice_limit)

    def on_call_start(self, start: CallStart) -> None:
        """From here on the line plays, and whatever holds the loop may be heard."""
        super().on_call_start(start)
        self.call.entrances["loop_held"] = self._held
        self._loop_watch = LoopWatch.join(self)

    def _end_watches(self) -> None:
        """The call is over."""
        if self._loop_watch is not None:
            self._loop_watch.leave(self)

    # --- a voice that falls silent -------------------------------------------------------------------------

    def _sounds(self, answer: Answer) -> None:
        """More of its voice has come: it is heard until all of that was played."""
        self._voices.sounds(answer.id, self.call.now + answer.buffered)

    def _watch(self, answer: Answer) -> None:
        """An answer begins to speak: see that it does not fall silent."""
        self._sounds(answer)
        self._look_at(answer, self._voices.due(answer.id))

    def _look_at(self, answer: Answer, when: float) -> None:
        def look() -> None:
            now = self.call.now
            waiting = self._playout.unplayed(answer.id, now)
            if waiting > 0 or answer.working:  # it speaks, or waits for others or for a tool, or is paused
                self._voices.sounds(answer.id, now + waiting)
            silent = self._voices.silent(answer.id, now)
            if silent is None:
                self._look_at(answer, self._voices.due(answer.id))
            elif answer.outcome is None and not answer.delivered:
                self._voice_silent(answer, silent)

        self._watches[answer.id] = self.call.timer(when, look, "voice silent")

    def _voice_silent(self, answer: Answer, silent: float) -> None:
        """What it was to say does not come: the caller hears an apology instead."""
        limit = self._voices.limit
        bark(self.call, "voice_silent", silent, limit, answer=answer)
        message = f"nothing more of {answer} came within {limit:g} s, and it was not finished"
        self.call.fault("voice.silent", message, answer=answer)
        assert self._engine is not None
        self._engine.end(answer, "failed")

    def _forget_voice(self, answer: Answer) -> None:
        """It speaks no more."""
        self._voices.forget(answer.id)
        if (watch := self._watches.pop(answer.id, None)) is not None:
            watch.cancel()

    # --- marks that do not come back -----------------------------------------------------------------------

    def _no_mark(self, answer: Answer, news: Assumed) -> None:
        """The conversation goes on; what was heard of this answer is an estimate."""
        detail = "no mark was ever echoed: from now on none is waited for" if news.never else ""
        bark(self.call, "no_mark", news.waited, news.limit, answer=answer, detail=detail)

    # --- a loop that is held -------------------------------------------------------------------------------

    def loop_held(self, held: Held) -> None:
        """Something held the event loop: told by the watch, which is no part of the call."""
        engine, by = self._engine, held.by
        if engine is not None and not engine.closed:
            own = by is not None and by.engine is not None and by.engine() is engine
            self.call.enter("loop_held", held.seconds, str(held), by.stack if by is not None else "", own)

    def _held(self, seconds: float, what: str, stack: str, own: bool) -> None:
        """What this call does itself, and can be heard, is a fault of it."""
        call, margin = self.call, self._playout.options.margin
        call.wake("loop_held", what)
        bark(call, "loop_held", seconds, self.held_limit, detail=what)
        if seconds <= margin:
            if own:
                call.note_fault("loop.held", what, stack)
            return
        if any(self._playout.unplayed(key, call.now) > 0 for key in self._answers):
            message = f"no audio could be sent for {seconds:.2f} s, longer than the {margin:g} s that always lie ahead"
            call.note_fault("output.hole", f"{message}: the caller may have heard a hole. {what}", logged=True)
        if own:
            call.fault("loop.held", what, stack)
