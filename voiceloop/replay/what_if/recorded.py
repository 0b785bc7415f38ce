"""What a recording holds, by what it was and no longer by when it came: requests, voices, tools, words. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from voiceloop.flight.entries import PROBABILITY, PROVIDERS, TURNS, Entry, Kind
from voiceloop.flight.items import decode_canned, decode_item, from_json
from voiceloop.flight.reader import Flight
from voiceloop.runtime import Canned

__all__ = ["Act", "Found", "Made", "Recorded", "Request", "Taken", "Tool", "VoiceRequest", "read_recorded"]

_LLM: Final = PROVIDERS.index("llm")
_TTS: Final = PROVIDERS.index("tts")


@dataclass(slots=True)
class Made:
    """What one run of a provider gave. All times are seconds on the loop's clock of the recording."""

    at: float
    """When it was asked."""
    items: list[tuple[float, Any]] = field(default_factory=list)
    ended: float | None = None
    """When it had given all, or failed; None when it was called off first."""
    failure: Entry | None = None
    """How it failed."""
    gone: float | None = None
    """When its task was over, however; None when the recording ends before that."""

    @property
    def until(self) -> float:
        """When it had given all, or was called off; infinite when it did neither."""
        known = self.ended if self.ended is not None else self.gone
        return math.inf if known is None else known


@dataclass(slots=True)
class Request:
    """A request to the model."""

    parts: tuple[bytes, ...]
    """The SHA-256 of each part."""
    made: Made
    turn: float | None
    """When the caller's last word before it ended, seconds."""
    round: int
    """Among the requests to that turn, from 0: the model is asked again with what its tools gave."""
    used: bool = False


@dataclass(slots=True)
class Taken:
    """A step of a voice besides what it gives: it asks for text, or gets some."""

    got: bool
    at: float


@dataclass(slots=True)
class VoiceRequest:
    """A request to the voice."""

    made: Made
    before: int
    """Pieces of its text that a try before it had taken already."""
    steps: list[tuple[float, Any]] = field(default_factory=list)
    """In order: `Taken`, and what it gave."""
    text: str | None = None
    """All that it was given; None when the recording does not say."""
    used: bool = False


@dataclass(slots=True)
class Act:
    """Somebody outside did something to the call."""

    at: float
    name: str
    arguments: list[Any]
    options: dict[str, Any]


@dataclass(slots=True)
class Tool:
    """A run of a tool."""

    name: str
    began: float
    outcome: dict[str, Any] | None = None
    """As plain values; None when the call was over first."""
    at: float = 0.0
    """When it had its result."""
    arguments: str = ""
    id: str = ""
    acts: list[Act] = field(default_factory=list)
    """What it did to the call meanwhile."""
    used: bool = False


@dataclass(slots=True)
class Found:
    """A text was looked for that may have been rendered ahead."""

    at: float
    speech: Canned | None


@dataclass(slots=True)
class Recorded:
    """One call."""

    listened: list[Made] = field(default_factory=list)
    """By the recogniser, stream by stream."""
    pauses: list[float] = field(default_factory=list)
    """When a pause of the caller's was noticed."""
    speeches: list[float] = field(default_factory=list)
    """When the caller was noticed to speak."""
    requests: list[Request] = field(default_factory=list)
    voices: list[VoiceRequest] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    canned: dict[str, list[Found]] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    """What others did to the call."""
    hand_overs: list[tuple[float, Entry]] = field(default_factory=list)
    """How long the carrier took, seconds, and what it said."""
    parts: dict[bytes, bytes] = field(default_factory=dict)
    """Parts of requests by their hash."""
    probabilities: list[float] = field(default_factory=list)
    """Of speech, window by window."""
    ticked: bool = False
    """Whether windows were judged at a tick."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What was said and heard; see `voiceloop.flight.notes`."""
    started: float | None = None
    """When the call began to hear, seconds."""
    ended: float | None = None
    """When it was over."""


def read_recorded(flight: Flight) -> Recorded:
    """Sort a recording by what it holds."""
    reader = _Reader()
    for entry in flight.entries:
        reader.read(entry)
    return reader.close()


class _Reader:
    def __init__(self) -> None:
        self.recorded = Recorded()
        self._names: dict[int, str] = {}
        self._parents: dict[int, int] = {}
        self._spawned: dict[int, float] = {}
        self._task = -1  # that runs
        self._runs: dict[int, Made] = {}
        self._voices: dict[int, VoiceRequest] = {}  # by the task of the provider
        self._speaking: dict[int, int] = {}  # the number of each voice's text, by the task that speaks it
        self._pieces: dict[int, int] = {}  # taken so far of each
        self._latest: dict[int, VoiceRequest] = {}  # of each
        self._asked: tuple[bytes, ...] | None = None
        self._turn: float | None = None
        self._rounds: dict[int, int] = {}  # requests so far, by the task that makes them
        self._running: dict[int, Tool] = {}
        self._speech: dict[str, Canned] = {}
        self._judged: list[float] = []  # what was said of windows later
        self._calls: dict[str, tuple[str, str]] = {}  # tools asked for: name and arguments by id

    def read(self, entry: Entry) -> None:
        """One entry."""
        if entry.kind in TURNS:
            self._task = entry.number if entry.kind is Kind.STEP else -1
        act = _READ.get(entry.kind)
        if act is not None:
            act(self, entry)

    def close(self) -> Recorded:
        """All of it."""
        recorded = self.recorded
        recorded.tools.sort(key=lambda tool: tool.began)
        judged = iter(self._judged)
        for number, probability in enumerate(recorded.probabilities):
            if math.isnan(probability):
                recorded.ticked = True
                said = next(judged, 0.0)
                recorded.probabilities[number] = 0.0 if math.isnan(said) else said
        return recorded

    # --- tasks ---

    def spawn(self, entry: Entry) -> None:
        number, name = entry.number, entry.text
        self._names[number], self._parents[number] = name, self._task
        made = Made(entry.at)
        if name == "stt provider":
            self._runs[number] = made
            self.recorded.listened.append(made)
        elif name == "llm provider" and self._asked is not None:
            self._runs[number] = made
            count = self._rounds.get(self._task, 0)
            self._rounds[self._task] = count + 1
            self.recorded.requests.append(Request(self._asked, made, self._turn, count))
            self._asked = None
        elif name == "tts provider":
            self._runs[number] = made
            self._spawn_voice(number, made)
        elif name.startswith("tool "):
            tool = self._running[number] = Tool(name.removeprefix("tool "), entry.at)
            self.recorded.tools.append(tool)
        self._spawned[number] = entry.at

    def _spawn_voice(self, number: int, made: Made) -> None:
        parent = self._task
        if parent not in self._speaking:  # texts are numbered in the order in which voices begin with them
            self._speaking[parent] = len(self._speaking)
        script = self._speaking[parent]
        voice = VoiceRequest(made, self._pieces.get(script, 0))
        self._voices[number] = self._latest[script] = voice
        self.recorded.voices.append(voice)

    def done(self, entry: Entry) -> None:
        if (made := self._runs.get(entry.number)) is not None:
            made.gone = entry.at
        self._running.pop(entry.number, None)

    # --- providers ---

    def item(self, entry: Entry) -> None:
        made = self._runs.get(self._task)
        if made is None:
            return
        item = decode_item(entry.content)
        made.items.append((entry.at, item))
        if (voice := self._voices.get(self._task)) is not None:
            voice.steps.append((entry.at, item))
        if entry.number == _LLM and hasattr(item, "arguments"):
            self._calls[item.id] = (item.name, item.arguments)

    def over(self, entry: Entry) -> None:
        if (made := self._runs.get(self._task)) is not None:
            made.ended = entry.at
            made.failure = entry if entry.content else None

    def request(self, entry: Entry) -> None:
        hashes = tuple(entry.content[start : start + 32] for start in range(0, len(entry.content), 32))
        if entry.number == _LLM:
            self._asked = hashes
        elif entry.number == _TTS and (script := self._speaking.get(self._task)) is not None:
            text = "".join(from_json(self.recorded.parts[each])[1] for each in hashes if each in self.recorded.parts)
            for number, voice in self._voices.items():
                if self._speaking.get(self._parents[number]) == script:
                    voice.text = text

    def part(self, entry: Entry) -> None:
        self.recorded.parts[entry.content[:32]] = entry.content[32:]

    def took(self, entry: Entry) -> None:
        got = entry.kind is Kind.TOOK
        self._pieces[entry.number] = self._pieces.get(entry.number, 0) + got
        if (voice := self._latest.get(entry.number)) is not None:
            voice.steps.append((entry.at, Taken(got, entry.at)))

    def canned(self, entry: Entry) -> None:
        text, given = decode_canned(entry.content)
        if given is not None:
            self._speech[text] = given
        speech = self._speech.get(text) if entry.number else None
        self.recorded.canned.setdefault(text, []).append(Found(entry.at, speech))

    def heard(self, entry: Entry) -> None:
        values = array("d")
        values.frombytes(entry.content)
        self.recorded.probabilities.extend(values)

    def judged(self, entry: Entry) -> None:
        self._judged.append(PROBABILITY.unpack_from(entry.content)[0])

    # --- the rest ---

    def tool(self, entry: Entry) -> None:
        tool = self._running.pop(self._task, None)
        if tool is None:
            return
        tool.outcome, tool.at = from_json(entry.content), entry.at
        tool.id = tool.outcome["result"]["id"]
        tool.name, tool.arguments = self._calls.get(tool.id, (tool.name, ""))

    def act(self, entry: Entry) -> None:
        name, arguments, options = from_json(entry.content)
        act = Act(entry.at, name, arguments, options.get("options", {}))
        running = list(self._running.values())
        (running[-1].acts if running else self.recorded.acts).append(act)

    def hand_over(self, entry: Entry) -> None:
        self.recorded.hand_overs.append((entry.at - self._spawned.get(self._task, entry.at), entry))

    def moment(self, entry: Entry) -> None:
        if entry.text == "start":
            self.recorded.started = entry.at
        elif entry.text == "end":
            self.recorded.ended = entry.at

    def note(self, entry: Entry) -> None:
        note = from_json(entry.content)
        note["noted"] = entry.at
        self.recorded.notes.append(note)
        if note["k"] == "pause":
            self.recorded.pauses.append(entry.at)
        elif note["k"] == "speech":
            self.recorded.speeches.append(entry.at)
        elif note["k"] == "said":
            self._turn = note["times"][1]


_READ: Final[dict[Kind, Callable[[_Reader, Entry], None]]] = {
    Kind.SPAWN: _Reader.spawn,
    Kind.DONE: _Reader.done,
    Kind.ITEM: _Reader.item,
    Kind.ENDED: _Reader.over,
    Kind.REQUEST: _Reader.request,
    Kind.PART: _Reader.part,
    Kind.ASK: _Reader.took,
    Kind.TOOK: _Reader.took,
    Kind.CANNED: _Reader.canned,
    Kind.VAD: _Reader.heard,
    Kind.JUDGED: _Reader.judged,
    Kind.TOOL: _Reader.tool,
    Kind.API: _Reader.act,
    Kind.HAND_OVER: _Reader.hand_over,
    Kind.MOMENT: _Reader.moment,
    Kind.NOTE: _Reader.note,
}
