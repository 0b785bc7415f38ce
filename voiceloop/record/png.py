"""The picture of a call as a PNG, for a README or a report: the time axis in rows, like a score.

Above the caller's voice stands what was recognised; below the agent's, its words where they were heard; between them
each wait, from the caller's last sample to the agent's first sound, and what it was made of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.record.held import held_of
from voiceloop.record.rows import GUTTER, MARGIN, Row, row_breaks
from voiceloop.record.scene import PARTS, Wait, cuts, faults, outline, pauses, plain, title_of, waits, when
from voiceloop.record.sheet import Sheet
from voiceloop.record.timeline import Timeline

__all__ = ["ROWS_LIMIT", "picture_png"]

ROWS_LIMIT: Final = 24
"""Rows at most. A call too long for them is drawn closer; below 60 pixels a second as whole answers, without words."""
READABLE: Final = 96.0
"""Layout pixels a second at which words can be read."""
FROM_WORDS: Final = 60.0
LATE: Final = 36.0
"""Layout pixels a word may stand to the right of its time before the text goes on in the other row."""
GAP: Final = 24.0
"""Layout pixels between words after which the text begins in the first row again."""
WAVE: Final = 52.0
BAR: Final = 17.0

LIGHT: Final = {
    "page": "#ffffff", "ink": "#1b1d1f", "soft": "#5a6067", "edge": "#d9d6cd", "grid": "#efede7", "on-part": "#ffffff",
    "caller": "#3352b0", "caller-soft": "#e3e8f7", "agent": "#0f6b5c", "agent-soft": "#dff0ea", "cut": "#b3261e",
    "warn": "#b98300", "endpoint": "#5b6b7a", "stt": "#2f6fb3", "llm": "#8a4fb0", "tts": "#b34d14",
    "output": "#8b7500", "carrier": "#1d8574",
}  # fmt: skip
DARK: Final = {
    "page": "#15181a", "ink": "#eceae4", "soft": "#a8afb5", "edge": "#3d4449", "grid": "#262b2f", "on-part": "#14171a",
    "caller": "#92b0ff", "caller-soft": "#263250", "agent": "#4fc3ab", "agent-soft": "#1b3a34", "cut": "#ff8a80",
    "warn": "#e0b04a", "endpoint": "#93a5b5", "stt": "#6fb0f2", "llm": "#c79bea", "tts": "#f29a5f",
    "output": "#d3bb3f", "carrier": "#4fc3ab",
}  # fmt: skip


def picture_png(
    timeline: Timeline,
    path: str | os.PathLike[str],
    *,
    width: int = 900,
    scale: float = 2.0,
    dark: bool = False,
    title: str | None = None,
    start: float = 0.0,
    end: float | None = None,
    font: str = "",
) -> None:
    """Draw a call into a PNG file. It takes about a second and blocks: off the event loop, please.

    Args:
        timeline: the call, as `TimelineRecorder.timeline` gives it.
        path: the file to write.
        width: of the picture as it is meant to be seen, in pixels, 320 to 4000. At 900 a row holds about 8.5 s.
        scale: pixels of the image for each of these, 1 to 4; 2 is sharp on every screen.
        dark: light on dark.
        title: the heading; by default it names the caller's number.
        start, end: draw this part of the call only, seconds.
        font: a font file, for a script that no usual font of the system has.

    Raises:
        MissingExtra: Pillow is not installed: ``pip install 'voiceloop[picture]'``.
        OSError: the file cannot be written.
    """
    if not 320 <= width <= 4000 or not 1 <= scale <= 4:
        raise ValueError(f"expected a width of 320 to 4000 and a scale of 1 to 4, got {width} and {scale}")
    end = timeline.duration if end is None else min(end, timeline.duration)
    start = min(max(0.0, start), end)
    page = _Page(timeline, width, dark, font)
    rows = page.rows(start, end)
    height = 74.0 + sum(row.height + 16 for row in rows) + page.legend_height()
    page.sheet = Sheet(width, height, scale, page.colours["page"], font)
    page.heading(plain(title, 200) if title is not None else title_of(timeline))
    top = 74.0
    for row in rows:
        page.row(row, top)
        top += row.height + 16
    page.legend(top)
    page.sheet.image.save(os.fspath(path), format="PNG", optimize=True)


class _Page:
    """Draws a timeline on a sheet."""

    sheet: Sheet

    def __init__(self, timeline: Timeline, width: int, dark: bool, font: str) -> None:
        self.call, self.width = timeline, width
        self.colours = DARK if dark else LIGHT
        self.waits, self.cuts = waits(timeline), cuts(timeline)
        self.shapes = {
            "caller": outline(timeline.caller_audio, timeline.duration),
            "agent": outline(timeline.agent_audio, timeline.duration),
        }
        self.sheet = Sheet(1, 1, 1, self.colours["page"], font)  # to measure with until the height is known

    def rows(self, start: float, end: float) -> list[Row]:
        room = self.width - GUTTER - 2 * MARGIN
        longest = room / READABLE
        edges = row_breaks(self.call, start, end, longest)
        if len(edges) > ROWS_LIMIT + 1:
            longest = (end - start) / (0.6 * (ROWS_LIMIT - 1))  # none but the last is shorter than 0.6 of it
            edges = row_breaks(self.call, start, end, longest)
        scale = min(READABLE * 1.25, room / max(stop - begin for begin, stop in pairwise(edges)))
        wanted = ("pause", "aside", "digit", "fault")
        rows = []
        for begin, stop in pairwise(edges):
            row = Row(begin, stop, scale)
            row.cuts = [cut for cut in self.cuts if row.holds(cut.at)]
            row.moments = [event for event in self.call.events if event.kind in wanted and row.holds(event.at)]
            rows.append(row)
        return rows

    # --- around the axis -----------------------------------------------------------------------------------

    def heading(self, title: str) -> None:
        call, sheet, colours = self.call, self.sheet, self.colours
        sheet.text(MARGIN, 16, sheet.fitted(title, self.width - 2 * MARGIN, 20), colours["ink"], 20, bold=True)
        totals = [(wait.end - wait.start) * 1000 for wait in self.waits]
        facts = [when(call), f"{call.duration:.1f} s", plain(call.reason, 60), f"{len(call.turns)} turns"]
        facts += [f"median wait {np.median(totals):.0f} ms"] if totals else []
        interruptions = sum(cut.interrupted for cut in self.cuts)
        for count, name in ((interruptions, "interruption"), (len(faults(call)), "fault")):
            facts += [f"{count} {name}{'s' if count > 1 else ''}"] if count else []
        line = "   ".join(fact for fact in facts if fact)
        sheet.text(MARGIN, 44, sheet.fitted(line, self.width - 2 * MARGIN, 13), colours["soft"], 13)

    def legend_height(self) -> float:
        return 20.0 + 20 * sum(1 for _ in self._legend_lines())

    def legend(self, top: float) -> None:
        for line in self._legend_lines():
            for left, name, label in line:
                if name == "caller":
                    for bar, half in enumerate((2.5, 5.0, 4.0, 5.5)):
                        self.sheet.box(left + 3 * bar, top + 7.5 - half, 2, 2 * half, self.colours[name])
                elif name:
                    self.sheet.box(left, top + 2, 11, 11, self.colours[name])
                self.sheet.text(left + (16 if name else 0), top + 1, label, self.colours["ink"], 12, bold=not name)
            top += 20

    def _legend_lines(self) -> Iterator[list[tuple[float, str, str]]]:
        """Lines of (left, colour, label), as many as the width asks for."""
        items = [("caller", "caller"), ("agent", "agent"), ("", "waiting for:")]
        items += [(name, name + (" (silence that ends a turn)" if name == "endpoint" else "")) for name in PARTS]
        line: list[tuple[float, str, str]] = []
        left = MARGIN
        for name, label in items:
            size = self.sheet.width(label) + (34 if name else 14)
            if line and left + size > self.width - MARGIN:
                yield line
                line, left = [], MARGIN
            line.append((left, name, label))
            left += size
        yield line

    # --- one row -------------------------------------------------------------------------------------------

    def row(self, row: Row, top: float) -> None:
        row.top = top
        self._grid(row)
        self._caller(row)
        self._agent(row)
        self._waits(row)
        self._words(row) if row.scale >= FROM_WORDS else self._answers(row)
        self._cuts(row)
        self._moments(row)

    def _grid(self, row: Row) -> None:
        sheet, colours = self.sheet, self.colours
        step = next(step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 86400) if step * row.scale >= 60)
        for tick in range(int(row.start // step), int(row.end // step) + 1):
            if not row.start <= tick * step <= row.end:
                continue
            x, (minutes, seconds) = row.x(tick * step), divmod(tick * step, 60)
            sheet.box(x, row.top, 1, row.cut, colours["grid"])
            label = f"{minutes}:{seconds:02d}"
            if x + sheet.width(label, 10) < self.width - 2:
                sheet.text(x + 3, row.top - 1, label, colours["soft"], 10)
        for y, name, lane in ((row.caller, "Caller", "caller"), (row.agent, "Agent", "agent")):
            sheet.text(MARGIN, row.top + y + WAVE / 2 - 8, name, colours[lane], 12, bold=True)
        sheet.text(MARGIN, row.top + row.wait + 13, "Wait", colours["soft"], 12)

    def _caller(self, row: Row) -> None:
        sheet, colours, top = self.sheet, self.colours, row.top + row.caller
        for span in self.call.speech:
            if row.meets(span.start, span.end):
                sheet.box(row.x(span.start), top, row.x(span.end) - row.x(span.start), WAVE, colours["caller-soft"])
                sheet.box(row.x(span.start), top + WAVE - 2, row.x(span.end) - row.x(span.start), 2, colours["caller"])
        for x, half in self._halves("caller", row, 3.0):
            sheet.box(x, top + WAVE / 2 - half, 2, half * 2, colours["caller"])
        shown = [turn for turn in self.call.turns if row.holds(turn.started)]
        for turn, after in zip_longest(shown, shown[1:]):
            left = row.x(turn.started)
            right = row.x(after.started) - 10 if after is not None else self.width - MARGIN / 2
            sheet.box(left, row.top + row.said + 2, 2, 28, colours["caller"])
            number = f"{turn.number or '–'}"
            indent = sheet.text(left + 6, row.top + row.said, number, colours["caller"], bold=True) + 5 - left
            wrap = min(right - left - indent, max(row.x(turn.ended) - left - indent, 230.0))
            for index, line in enumerate(sheet.wrapped(plain(turn.text), wrap, 2)):
                sheet.text(left + indent, row.top + row.said + 15 * index, line, colours["ink"])

    def _agent(self, row: Row) -> None:
        sheet, colours, top = self.sheet, self.colours, row.top + row.agent
        for answer in self.call.answers:
            for span in answer.sounds:
                if row.meets(span.start, span.end):
                    sheet.box(row.x(span.start), top, row.x(span.end) - row.x(span.start), WAVE, colours["agent-soft"])
        for span in pauses(self.call):
            if row.meets(span.start, span.end):
                x = row.x(span.start)
                while x < row.x(span.end):
                    sheet.line((x, top + WAVE), (min(x + 8, row.x(span.end)), top), colours["soft"], 0.5)
                    x += 6
        halves = list(self._halves("agent", row, 1.0))
        middle = top + WAVE / 2
        outer = [(x, middle - half) for x, half in halves] + [(x, middle + half) for x, half in reversed(halves)]
        sheet.shape(outer, colours["agent"])

    def _halves(self, voice: str, row: Row, step: float) -> Iterator[tuple[float, float]]:
        """Places along a row, and half the height of the voice there."""
        shape: npt.NDArray[np.uint8] = self.shapes[voice]
        count = max(1, int((row.right - row.x(row.start)) / step))
        edges = (row.start + np.arange(count + 1) * step / row.scale) * 100
        for index in range(count):
            first = min(int(edges[index]), len(shape) - 1)
            peak = shape[first : max(first + 1, int(edges[index + 1]))].max() / 255
            yield row.x(row.start) + index * step, max(0.4, float(peak) * (WAVE / 2 - 3))

    def _waits(self, row: Row) -> None:
        for wait in self.waits:
            if row.meets(wait.start, wait.end):
                self._wait(row, wait)

    def _wait(self, row: Row, wait: Wait) -> None:
        sheet, colours, top = self.sheet, self.colours, row.top + row.wait
        if row.scale >= 12:
            for at, start, end in ((wait.start, row.caller, row.wait), (wait.end, row.wait + 14, row.agent + WAVE)):
                if row.holds(at):
                    for y in np.arange(start, end - 2, 5):
                        sheet.box(row.x(at), row.top + y, 1, 3, colours["ink"])
        for name, start, end, ms in wait.parts:
            left, size, number = row.x(start), row.x(end) - row.x(start), f"{ms:.0f}"
            sheet.box(left, top + 14, size, BAR, colours[name])
            if (wide := sheet.width(name, 10)) < size:
                sheet.text(left + (size - wide) / 2, top + 1, name, colours["soft"], 10)
            if (wide := sheet.width(number, 11)) + 2 < size:
                sheet.text(left + (size - wide) / 2, top + 16, number, colours["on-part"], 11, bold=True)
        total = f"{(wait.end - wait.start) * 1000:.0f} ms"
        after = next((other.start for other in self.waits if other.start > wait.end), row.end)
        limit = row.x(after) if after < row.end else self.width
        if row.holds(wait.end) and row.x(wait.end) + sheet.width(total) + 8 < limit:
            sheet.text(row.x(wait.end) + 6, top + 15, total, colours["ink"], bold=True)

    def _words(self, row: Row) -> None:
        sheet, line, ends = self.sheet, 0, [0.0, 0.0]
        for word in sorted(self.call.words, key=lambda word: word.start):
            if not row.holds(word.start):
                continue
            left, text = row.x(word.start), plain(word.text, 60)
            if max(ends) + GAP < left:
                line = 0
            elif ends[line] - left > LATE and ends[1 - line] < ends[line]:
                line = 1 - line  # the text goes on there
            at = max(left, ends[line])
            sheet.box(left, row.top + row.agent + WAVE, 1, 4, self.colours["agent"])
            ends[line] = at + sheet.width(text) + 4
            if ends[line] < self.width:
                sheet.text(at, row.top + row.words + 15 * line, text, self.colours["ink"])

    def _answers(self, row: Row) -> None:
        shown = [answer for answer in self.call.answers if answer.sounds and row.holds(answer.sounds[0].start)]
        for answer, after in zip_longest(shown, shown[1:]):
            left = row.x(answer.sounds[0].start)
            right = row.x(after.sounds[0].start) - 8 if after is not None else self.width - MARGIN
            for index, line in enumerate(self.sheet.wrapped(plain(answer.heard), right - left, 2, 11)):
                self.sheet.text(left, row.top + row.words + 15 * index, line, self.colours["ink"], 11)

    def _cuts(self, row: Row) -> None:
        sheet, colours, top = self.sheet, self.colours, row.top + row.cut
        for cut, after in zip_longest(row.cuts, row.cuts[1:]):
            left = row.x(cut.at)
            right = row.x(after.at) - 8 if after is not None else self.width - MARGIN / 2
            if cut.interrupted:
                from_ = row.caller if row.scale >= 12 else row.words
                sheet.box(left - 1, row.top + from_, 2, row.cut - from_ + 16, colours["cut"])
            label = "interrupted" if cut.interrupted else "not heard"
            size = sheet.width(label, 11) + 9
            if size > right - left and after is not None:
                continue
            left -= size if size > right - left else 0  # at the end of the row it stands before
            sheet.box(left, top + 1, size, 15, colours["cut"])
            ended = sheet.text(left + 4, top + 1.5, label, colours["page"], 11, bold=True) + 10
            text = sheet.fitted(plain(cut.text, 300), right - ended, 12)
            if len(text) > 3:
                stop = sheet.text(ended, top, text, colours["soft"])
                sheet.box(ended, top + 8.5, stop - ended, 1, colours["cut"])

    def _moments(self, row: Row) -> None:
        sheet, free, top = self.sheet, 0.0, row.top + row.notes
        held = {each.start: str(each) for each in held_of(self.call)}
        for event in row.moments:
            left, fault = row.x(event.at), event.kind == "fault"
            colour = self.colours["warn" if fault else "soft"]
            size = row.notes - row.caller + (16 if left >= free else 0)
            sheet.box(left, row.top + row.caller, 1.5 if fault else 1, size, colour)
            if left < free:
                continue
            labels = {
                "fault": f"fault: {plain(event.text, 300)}",
                "digit": f"key {plain(event.text, 8)}",
                "aside": f"“{plain(event.text, 60)}” (aside)",
                "pause": held.get(event.at, "pause"),
            }
            label = sheet.fitted(labels.get(event.kind, event.kind), min(self.width - MARGIN / 2 - left, 360), 11)
            free = sheet.text(left + 4, top + 1, label, colour, 11, bold=fault) + 8
