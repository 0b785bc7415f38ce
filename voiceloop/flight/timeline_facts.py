"""What went on behind a recorded call: when the model was asked, which tools ran, what failed, what did not come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from voiceloop.conversation import ToolCall
from voiceloop.flight.entries import PROVIDERS, Entry, Kind
from voiceloop.flight.items import FlushNumber, decode_item, from_json
from voiceloop.record.why_facts import Act, Bark, DetailedTimeline, Failure, ModelRequest, Stood, ToolRun
from voiceloop.served import Served

__all__ = ["Facts"]

_MODEL: Final = PROVIDERS.index("llm")
_TOOL: Final = "tool "
"""How the name of a task begins that runs one."""


class Facts:
    """Fills them into a timeline.

    Args:
        line: the timeline.
        zero: when the call began, seconds on the loop's clock.
    """

    def __init__(self, line: DetailedTimeline, zero: float) -> None:
        self._line = line
        self._zero = zero
        self.written: dict[int, str] = {}
        """What the model wrote, by answer."""
        self._answer = 0  # the last that answers a turn: the model works for it
        self._request: ModelRequest | None = None
        self._task = -1  # which goes on
        self._tools: dict[int, ToolRun] = {}  # by their tasks
        self._asked: deque[ToolCall] = deque()  # by the model, and not begun

    def take(self, entry: Entry) -> None:
        """The next entry of the recording."""
        act = _ACTS.get(entry.kind)
        if act is not None:
            act(self, entry)

    def answer_began(self, answer: int) -> None:
        """An answer to a turn of the caller."""
        self._answer = answer

    def watchdog(self, note: dict[str, Any]) -> None:
        """Something did not come."""
        at = self._at(note["at"])
        self._line.barks.append(Bark(at, note["kind"], note["waited"], note["limit"], note["text"], note["answer"]))

    def _at(self, when: float) -> float:
        return max(0.0, when - self._zero)

    # --- providers ---

    def _requested(self, entry: Entry) -> None:
        if entry.number == _MODEL:
            self._request = ModelRequest(self._at(entry.at), self._answer)
            self._line.requests.append(self._request)

    def _gave(self, entry: Entry) -> None:
        if entry.number == _MODEL and self._request is not None and self._request.first is None:
            self._request.first = self._at(entry.at)
        if entry.number != _MODEL and entry.content[:1] not in (b"d", b"f"):
            return  # audio and transcripts: there are many
        item = decode_item(entry.content)
        if isinstance(item, Served):
            if item.instead_of:
                kind = PROVIDERS[entry.number]
                self._line.stood.append(Stood(self._at(entry.at), kind, item.name, item.instead_of, item.why))
        elif isinstance(item, FlushNumber):
            self._line.settled.append(self._at(entry.at))
        elif isinstance(item, str):
            self.written[self._answer] = self.written.get(self._answer, "") + item
        elif isinstance(item, ToolCall):
            self._asked.append(item)
            if self._request is not None:
                self._request.calls += 1

    def _ended(self, entry: Entry) -> None:
        at, failure = self._at(entry.at), ": ".join(entry.text.split("\n", 1)).rstrip(": ")
        if entry.number == _MODEL and self._request is not None and self._request.ended is None:
            self._request.ended, self._request.failure = at, failure
        if failure:
            self._line.failures.append(Failure(at, PROVIDERS[entry.number], failure))

    # --- tools ---

    def _spawned(self, entry: Entry) -> None:
        name = entry.text
        if not name.startswith(_TOOL):
            return
        run = ToolRun(name.removeprefix(_TOOL), self._at(entry.at), answer=self._answer)
        if self._asked and self._asked[0].name == run.name:
            run.arguments = self._asked.popleft().arguments
        self._tools[entry.number] = run
        self._line.tools.append(run)

    def _goes_on(self, entry: Entry) -> None:
        self._task = entry.number

    def _gave_result(self, entry: Entry) -> None:
        run = self._tools.get(self._task)
        if run is not None:
            result = from_json(entry.content)["result"]
            run.ended, run.result, run.error = self._at(entry.at), result["text"], result["error"]

    def _over(self, entry: Entry) -> None:
        run = self._tools.pop(entry.number, None)
        if run is not None and run.ended is None:
            run.ended = self._at(entry.at)

    # --- others ---

    def _acted(self, entry: Entry) -> None:
        self._line.acts.append(Act(self._at(entry.at), from_json(entry.content)[0]))


_ACTS: Final[dict[Kind, Callable[[Facts, Entry], None]]] = {
    Kind.REQUEST: Facts._requested,
    Kind.ITEM: Facts._gave,
    Kind.ENDED: Facts._ended,
    Kind.SPAWN: Facts._spawned,
    Kind.STEP: Facts._goes_on,
    Kind.TOOL: Facts._gave_result,
    Kind.DONE: Facts._over,
    Kind.API: Facts._acted,
}
