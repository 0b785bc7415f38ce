"""Keeps the sound of a call in a stereo WAV file: on the left the caller as they came, on the right the agent as heard.

Audio waits for `BEHIND` seconds in memory, until marks have said what was heard of it, and is then written in blocks.
A sample of the file is a moment of the call: what is not recorded, and what was lost on its way, is silence.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Final

from voiceloop import wallclock
from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.frames import (
    AnswerEnded,
    AudioSent,
    CallEnd,
    CallerAudio,
    CallStart,
    ClearSent,
    Digit,
    MarkEcho,
    MarkSent,
    PlayoutFinished,
)
from voiceloop.keypad import HUSHED
from voiceloop.processor import Processor
from voiceloop.record.as_heard import AsHeard
from voiceloop.record.recording_options import RecordingOptions
from voiceloop.record.rolling import SILENCE, Rolling
from voiceloop.record.stereo_file import StereoFile
from voiceloop.record.timeline import RATE
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import CallReport

__all__ = ["RecordingOptions", "WavRecorder", "record_call", "record_every_call"]

BEHIND: Final = 3.0
"""Seconds that sound stays in memory: longer than audio is sent ahead, and than the echo of a fence is waited for."""
BLOCK: Final = 2.0
"""Seconds between two writes."""
LATE: Final = 10.0
"""Seconds that the caller's audio is waited for when the process stood still; then it is held to be lost."""
EARLY: Final = 0.04
"""Seconds by which the agent's channel begins sooner: that the consent prompt was heard is known a frame or two late,
and the first word behind it is to be whole."""
_NAME: Final = re.compile(r"[^\w-]+", re.ASCII)


def record_call(
    call: Call, folder: str | PathLike[str] | None = None, *, options: RecordingOptions | None = None
) -> WavRecorder:
    """Record a call. For use in ``bot(call)``; `call.recording` starts and stops it from then on.

    Args:
        call: it must not have begun.
        folder: takes the place of `RecordingOptions.folder`.
        options: see there.

    Returns: the recorder. If the call has one already (the server records every call), that one stays as it is.

    Raises:
        VoiceloopError: the call has begun, or something else records it.
    """
    known = call.recording
    if isinstance(known, WavRecorder):
        return known
    if known is not None:
        raise VoiceloopError(f"this call is recorded by {type(known).__name__} already: call.recording")
    options = options or RecordingOptions()
    recorder = WavRecorder(call, options if folder is None else replace(options, folder=folder))
    call.observe(_Observer(recorder))
    call.on_end(recorder._over)
    call.recording = recorder
    return recorder


def record_every_call(options: RecordingOptions) -> Callable[[Call], None]:
    """A hook for `PhoneOptions.on_call`, or ``phone.on_call``, that records every call."""

    def record(call: Call) -> None:
        record_call(call, options=options)

    return record


class WavRecorder:
    """The recording of one call; see `record_call`. `start` and `stop` are for the bot and its processors,
    `resume_recording` and `pause_recording` for the model. All of them are harmless when said twice."""

    def __init__(self, call: Call, options: RecordingOptions) -> None:
        self.options = options
        self._call: Call | None = call
        self._keypad = call.keypad
        self._wanted = options.start
        self._live = False  # between the beginning and the end of the call
        self._prompt: Answer | None = None
        self._told = not options.consent or _was_told(call, options.consent)
        self._file: StereoFile | None = None
        self._named: tuple[str, ...] = ()  # what the call's record was told of
        self._dry = call.replayed or call.id == REHEARSAL  # all is as ever, and nothing is written
        self._kept = False  # what is heard now
        self._turned = -math.inf  # since when that is so, seconds
        self._agent = AsHeard()
        self._caller = Rolling(0)
        self._written = 0  # the next sample to write
        self._first = 0
        self._due = -math.inf
        if options.consent:
            call.ahead.append(options.consent)

    # --- for all -------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether sound is being kept now: not before the consent was heard, nor while keys are secret."""
        return self._kept and not self._keypad.hushed(self._now)

    @property
    def files(self) -> tuple[str, ...]:
        """Where it is kept, absolute: one file for each line that the call is on. It is named as soon as anything is to
        be kept, made a few seconds later, and whole when the call has ended; a file that was never made is not named
        any more then."""
        path = self._file.path if self._file is not None and not self._dry else None
        return () if path is None else (str(path),)

    def start(self) -> None:
        """Keep what is said from now on; when there is a `RecordingOptions.consent` that the caller has not heard yet,
        it is said first."""
        self._wanted = True
        if self._live:
            self._begin()

    def stop(self) -> None:
        """Keep nothing of what is said from now on, until `start`: the file holds silence, and no buffer holds more."""
        self._wanted = False
        self._turn()

    def pause_recording(self) -> str:
        """Pause the recording of this call, before the caller says something that must not be recorded, such as a
        card number."""
        self.stop()
        return "The recording is paused."

    def resume_recording(self) -> str:
        """Go on with the recording of this call, or begin it once the caller has agreed."""
        self.start()
        return "The call is recorded from now on."

    def announce(self) -> None:
        """Say the consent prompt, if there is one to be said: once. It cannot be cut off."""
        call = self._call
        if self._told or self._prompt is not None or not self._wanted or call is None or call.ending is not None:
            return
        self._prompt = call.say(self.options.consent, interruptible=False)

    # --- the life of the call ------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._call.now if self._call is not None else 0.0

    def _begin(self) -> None:
        """Record, or ask for consent first."""
        if self._told:
            self._turn()
        else:
            self.announce()

    def _began(self) -> None:
        if self._call is not None and self._call.ending is None:
            self._live = True
            if self._wanted:
                self._begin()

    def _prompted(self, answer: Answer, *, heard: bool) -> None:
        """The consent prompt is over."""
        if answer is not self._prompt:
            return
        self._prompt, self._told = None, heard
        if heard:
            self._turn()
        elif self._call is not None and self._live:
            self._call.note_fault("record", "the caller has not heard the consent prompt: nothing is recorded")

    def _ended(self) -> None:
        """Write all that was heard."""
        if not self._live:
            return
        now = self._now
        self._turn()
        self._live = False
        self._flush(round(now * RATE))

    async def _closed(self) -> None:
        """Wait until the file is whole."""
        if self._file is not None and (closing := self._file.close()) is not None:
            await asyncio.wrap_future(closing)

    def _over(self, report: CallReport) -> None:
        self._call = self._prompt = None
        self._live = self._kept = False

    # --- what is kept --------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Keep what is heard from now on, or keep it no more, if that has changed."""
        now = self._now
        kept = self._wanted and self._told and self._live and not self._keypad.hushed(now)
        if self._file is not None and self._file.failure:
            kept = False
        if kept is self._kept:
            return
        if kept:
            if self._file is None:
                self._open(max(now - EARLY, self._call.began if self._call is not None else now))
            self._forget_agent(now)
        self._kept, self._turned = kept, now

    def _open(self, begin: float) -> None:
        assert self._call is not None
        name = _NAME.sub("_", self._call.id)[:64] or "call"
        folder = Path(self.options.folder).absolute() / wallclock.now_iso()[:10]
        threaded = not getattr(asyncio.get_running_loop(), "virtual_time", False)
        line = 1 + (self._call.carried.streams if self._call.carried is not None else 0)
        pcm = self.options.form == "pcm16"
        self._file = StereoFile(folder, name, pcm=pcm, threaded=threaded, number=line)
        self._tell_record()
        self._first = self._written = round(begin * RATE)
        self._caller = Rolling(self._written)

    def _tell_record(self) -> None:
        """Whoever writes the call down knows of the file before it is there, so that it can be deleted even when the
        process is killed."""
        if self._call is None or self._named == self.files:
            return
        self._named = self.files
        if (changed := self._call.conversation.watcher) is not None:
            changed()

    def _forget_agent(self, now: float) -> None:
        """What was heard of the agent while nothing was kept is in no buffer."""
        if not self._kept:
            self._agent.blank(round(max(self._turned, 0.0) * RATE), round((now - EARLY) * RATE))

    def _take_caller(self, audio: CallerAudio) -> None:
        now = self._now
        if self._wanted:
            self._turn()
        if self._file is not None:
            kept = self._kept and audio.at >= self._turned and not self._keypad.hushed(audio.at)
            self._caller.put(round(audio.at * RATE), audio.audio if kept else SILENCE * len(audio.audio))
            self._forget_agent(now)
        if now >= self._due:
            self._due = now + BLOCK
            until = (now - BEHIND) * RATE
            if self._file is not None:  # the caller's audio may come late: when the process stood still
                until = max(min(until, self._caller.end), (now - LATE) * RATE)
            self._flush(round(until))

    def _flush(self, until: int) -> None:
        """Write what was heard before a sample."""
        file, size = self._file, until - self._written
        if file is None:
            self._agent.take(until, until)
            return
        if size <= 0:
            return
        left, right = self._caller.take(until), self._agent.take(self._written, until)
        if self._dry or file.failure:
            pass
        elif not self._kept and self._written >= self._turned * RATE:
            file.silence(size)
        else:
            file.put(left, right)
        self._written = until
        self._look_at(file)

    def _look_at(self, file: StereoFile) -> None:
        """Whether it can be written. If not, that is noted once, and the call goes on."""
        self._tell_record()  # it has another name when there was a file of that name
        if not file.failure and self._written - self._first >= self.options.longest * RATE:
            file.failure = f"{self.options.longest:g} s are recorded, which is the longest (RecordingOptions.longest)"
        if file.failure and self._wanted:
            self._wanted = False
            self._turn()
            if self._call is not None:
                self._call.note_fault("record", f"the rest of the call is not recorded: {file.failure}")


class _Observer(Processor):
    """Tells a recorder what passes."""

    def __init__(self, recorder: WavRecorder) -> None:
        self._recorder = recorder

    async def stop(self) -> None:
        await self._recorder._closed()

    def on_call_start(self, start: CallStart) -> None:
        self._recorder._began()

    def on_call_end(self, end: CallEnd) -> None:
        self._recorder._ended()

    def on_caller_audio(self, audio: CallerAudio) -> None:
        self._recorder._take_caller(audio)

    def on_digit(self, digit: Digit) -> None:
        if digit.secret:  # its tone may be in what has come already
            self._recorder._caller.blank(round((digit.at - HUSHED) * RATE), round((digit.at + HUSHED) * RATE))

    def on_audio_sent(self, sent: AudioSent) -> None:
        recorder, trip = self._recorder, self.call.playing.round_trip
        recorder._agent.sent(sent.at - trip, sent.audio, trip)
        recorder._forget_agent(self.call.now)

    def on_mark_sent(self, mark: MarkSent) -> None:
        self._recorder._agent.marked(mark.name, mark.at)

    def on_clear_sent(self, clear: ClearSent) -> None:
        self._recorder._agent.cleared(self.call.now)

    def on_mark_echo(self, echo: MarkEcho) -> None:
        self._recorder._agent.echoed(echo.name, echo.sequence, echo.at)

    def on_playout_finished(self, playout: PlayoutFinished) -> None:
        answer = playout.answer
        self._recorder._prompted(answer, heard=playout.complete and answer.outcome in (None, "complete"))

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        if ended.answer.outcome in ("failed", "discarded"):
            self._recorder._prompted(ended.answer, heard=False)


def _was_told(call: Call, consent: str) -> bool:
    """Whether the caller has heard the prompt on the line that the call was on before."""
    prompt = " ".join(consent.split())
    messages = call.carried.messages if call.carried is not None else ()
    return any(message.role == "assistant" and prompt in " ".join(message.text.split()) for message in messages)
