"""The part of the output that is no voice: a soft sound where the line would be silent."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from voiceloop.answer import Answer
from voiceloop.frames import Filling
from voiceloop.output.events import PlayoutOptions, SendMedia
from voiceloop.output.feed import Feed
from voiceloop.output.watched import WatchedOutput
from voiceloop.registry import Timer

__all__ = ["FilledOutput"]

LOOK_AGAIN: Final = 0.25
"""Seconds until it is looked whether the caller still enters keys: meanwhile it is quiet."""


class FilledOutput(WatchedOutput):
    """The part of `AudioStreamer` that plays fillers. They go to the line at once, and no mark tells of them."""

    def __init__(self, options: PlayoutOptions) -> None:
        super().__init__(options)
        self._feed = Feed()
        self._nobody = Answer(0)
        self._feeding: Timer | None = None
        self._feed_at: float | None = None

    @abstractmethod
    def _send_media(self, output: SendMedia) -> bool:
        """Send a piece of audio; False when the line is gone."""

    def on_filling(self, filling: Filling) -> None:
        """A sound is wanted under the silence, or not any more."""
        self._feed.set(filling, self.call.now)
        self._fill()

    def _fill(self) -> None:
        """Send what is due of it, and come back when more is."""
        feed, playout, now = self._feed, self._playout, self.call.now
        if feed and self.call.keypad.waiting:
            feed.busy(now)
            self._feed_again(now + LOOK_AGAIN)
            return
        due = feed.due(playout.voiced, playout.head) if feed else None
        while due is not None and due <= now:
            if not self._send_media(playout.fill(feed.take(), now)):
                due = None
                break
            due = feed.due(playout.voiced, playout.head)
        self._feed_again(due)

    def _feed_again(self, when: float | None) -> None:
        if when == self._feed_at and (when is None or self._feeding is not None):
            return
        if self._feeding is not None:
            self._feeding.cancel()
        self._feed_at = when
        self._feeding = None if when is None else self.call.timer(when, self._feed_due, "filler")

    def _feed_due(self) -> None:
        self._feeding = self._feed_at = None
        self._fill()
