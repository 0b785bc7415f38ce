"""When the caller's words were spoken, on the clock of the event loop. Pure.

A media message carries a timestamp on the stream's own clock (milliseconds since its start). What is missing is the
offset between the two clocks. Every arrival bounds it from above: a message arrives when its last sample has been
spoken, or later. So the least of those bounds over a while is the best estimate: network jitter, a stalled loop, frames
that arrive in a bunch only ever make a bound worse, and worse bounds are not used. What remains in the estimate is
the shortest one-way delay from the carrier, which one side alone cannot know.

The same idea as the minimum filter of NTP's clock filter (RFC 5905, section 10).
"""

from __future__ import annotations

from collections import deque

__all__ = ["MediaClock"]


class MediaClock:
    """Maps media timestamps to seconds on the loop's clock. One per stream; feed it every media message.

    Args:
        window: how long a bound counts, seconds. Only time that passes on both clocks ages a bound: a stall of any
            length, and the bunch after it, must not push out the good bounds from before. A drift between the two
            clocks is followed after this time: at 50 ppm the estimate is at most half a millisecond behind.
    """

    __slots__ = ("_age", "_bounds", "_last_arrival", "_last_start", "_last_time", "_window")

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        # Bounds that may yet be the least of the window: (age, bound), both rising from left to right, seconds.
        self._bounds: deque[tuple[float, float]] = deque()
        self._age = 0.0
        self._last_start = float("inf")
        self._last_arrival = 0.0
        self._last_time = float("-inf")

    def speech_time(self, timestamp_ms: int, duration: float, arrival: float) -> float:
        """When the first sample of this message was spoken, seconds on the loop's clock.

        Never less than the answer for the message before, and for messages of equal length never later than
        ``arrival - duration``.

        Args:
            timestamp_ms: the message's timestamp, milliseconds since the start of the stream.
            duration: length of its audio, seconds.
            arrival: when it came in, seconds on the loop's clock; not before the arrival of the one before.
        """
        bounds = self._bounds
        start = timestamp_ms * 0.001
        media = start - self._last_start
        if media < 0:  # the first message, or the stream's clock was set back: what was learnt is about another clock
            bounds.clear()
        else:
            passed = arrival - self._last_arrival
            if passed > 0.0:
                self._age += media if media < passed else passed
        self._last_start = start
        self._last_arrival = arrival
        bound = arrival - duration - start
        while bounds and bounds[-1][1] >= bound:
            bounds.pop()
        bounds.append((self._age, bound))
        oldest = self._age - self._window
        while bounds[0][0] < oldest:
            bounds.popleft()
        time = start + bounds[0][1]
        if time > self._last_time:
            self._last_time = time
        return self._last_time
