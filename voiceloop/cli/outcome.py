"""What came of a call that a command has made: shown to a person, or printed as one JSON object."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from voiceloop.call import Call
from voiceloop.cli.table import turn_table
from voiceloop.conversation import Conversation
from voiceloop.errors import VoiceloopError, require
from voiceloop.record.picture import save_picture
from voiceloop.record.png import picture_png
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport
from voiceloop.sim.carrier import Carrier

__all__ = ["Files", "Outcome", "Show", "Watch", "tell"]

END_LIMIT = 20.0
"""Seconds the agent's side may take to end after the call has."""


class Files:
    """Where the call's recording and its picture go.

    Raises:
        VoiceloopError: one of them cannot be written there.
    """

    def __init__(self, recording: str, picture: str | None) -> None:
        self.recording = Path(recording)
        self.picture = Path(picture) if picture else self.recording.with_suffix(".html")
        _check_writable(self.recording, "recording")
        _check_writable(self.picture, "picture")
        if self.picture.suffix == ".png":
            require("PIL.Image", "picture", "A PNG")  # rather now than after the call

    def save(self, outcome: Outcome, title: str) -> VoiceloopError | OSError | None:
        """Write both; returns what went wrong."""
        try:
            outcome.carrier.save_recording(self.recording)
            if outcome.timeline is not None:
                draw = picture_png if self.picture.suffix == ".png" else save_picture
                draw(outcome.timeline, self.picture, title=title)
        except (VoiceloopError, OSError) as error:
            return error
        return None


def _check_writable(path: Path, what: str) -> None:
    folder = path.resolve().parent
    if path.is_dir():
        raise VoiceloopError(f"expected a file for the {what}, but {path} is a folder")
    if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise VoiceloopError(f"the {what} cannot be written to {path}: name a place that exists and may be written")


class Show:
    """What a person sees while the call runs.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._shown = 0

    def note(self, text: str) -> None:
        """Something about the demo itself."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def line(self, text: str = "") -> None:
        """A line of the conversation."""
        if not self.quiet:
            print(text, flush=True)

    def conversation(self, conversation: Conversation) -> None:
        """What was said since the last time."""
        for message in list(conversation)[self._shown :]:
            self._shown += 1
            cut = f"  [cut: {message.unheard}]" if message.unheard else ""
            if message.text:
                self.line(f"  {'agent: ' if message.role == 'assistant' else 'caller:'} {message.text}{cut}")
            for call in message.calls:
                self.line(f"  tool:    {call.name}({call.arguments})")
            for result in message.results:
                self.line(f"           {'failed: ' if result.error else ''}{result.text}")


class Outcome:
    """A call that was made."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.report: CallReport | None = None
        self.timeline: Timeline | None = None
        self.failure: str | None = None


class Watch:
    """The agent's side of the one call that a command makes, for a person to follow."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._recorder = TimelineRecorder()
        self._ended: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()

    def taken(self, call: Call) -> None:
        """The bot is about to take the call."""
        call.observe(self._recorder)
        call.on_turn(lambda turn: self._show.conversation(call.conversation))
        call.on_end(self._finished)

    def _finished(self, report: CallReport) -> None:
        self._show.conversation(report.conversation)
        if not self._ended.done():
            self._ended.set_result(report)

    async def settle(self, outcome: Outcome) -> None:
        """Wait for the end of the call, and put what is left of it into the outcome."""
        try:
            async with asyncio.timeout(END_LIMIT):
                outcome.report = await self._ended
                outcome.timeline = self._recorder.timeline(outcome.report)
        except TimeoutError:
            outcome.failure = outcome.failure or f"the agent's side had not ended {END_LIMIT:g} s after the hang-up"


def tell(outcome: Outcome, files: Files, as_json: bool, show: Show) -> None:
    """Say what came of it."""
    report = outcome.report
    if report is None:
        raise VoiceloopError(outcome.failure or "the call left no report")
    holes = [round(seconds * 1000, 1) for _, seconds in outcome.carrier.truth.holes()]
    if as_json:
        result = {
            "reason": f"failed: {outcome.failure}" if outcome.failure else report.reason,
            "turns": [turn.as_dict() for turn in report.turns],
            "holes_ms": holes,
            "faults": [f"{fault.kind}: {fault.message}" for fault in report.faults],
            "recording": str(files.recording),
            "picture": str(files.picture),
        }
        print(json.dumps(result, indent=2))
        if outcome.failure:
            print(f"voiceloop: {outcome.failure}", file=sys.stderr)
        return
    show.line(f"The call ended: {report.reason}, after {report.duration:.1f} s.")
    show.line()
    show.line(turn_table(report.turns))
    show.line()
    for fault in report.faults:
        show.line(f"fault: {fault.kind}: {fault.message}")
    if holes:
        show.line(f"holes in the agent's speech: {', '.join(f'{ms:g} ms' for ms in holes)}")
    show.line(f"Recording, caller left and agent right: {files.recording}")
    show.line(f"Picture of the call, to be opened in a browser: {files.picture}")
    if outcome.failure:
        show.line()
        print(f"voiceloop: the conversation failed: {outcome.failure}", file=sys.stderr)
