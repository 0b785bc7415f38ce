"""What a scenario expects: of the words, the memory, the tools, the wait and the end of a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from voiceloop.conversation import Message
from voiceloop.report import Turn
from voiceloop.testing.judge import transcript_of
from voiceloop.testing.scenario_fields import Fields, count, each, flag, name_of, nearest, one_or_more, seconds, text
from voiceloop.testing.scenario_play import Check, Play, Question, StepFailed, heard, shown
from voiceloop.testing.scenario_settings import ToolNamed, tools_named
from voiceloop.testing.scenario_source import Node, Place, Source, Wrong
from voiceloop.testing.scenario_words import in_order, says, words_of

__all__ = ["AT_THE_END", "EXPECT", "Judged", "NoFaults", "read_expect", "read_question"]

AT_THE_END: Final = ("ended", "lasts under")
"""What can be expected when the call is over, and not before."""
BY: Final = {"by the caller": True, "by the agent": False}
"""Who hung up, and whether that is the caller."""


# --- words --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """Words that must be heard, or must not, in all that the agent has said so far."""

    place: Place
    name: str
    wanted: tuple[str, ...]
    wrong: Callable[[tuple[str, ...], str], str | None]
    """Says what is not as it must be."""

    def check(self, play: Play) -> None:
        words = play.heard
        if (problem := self.wrong(self.wanted, words)) is not None:
            raise StepFailed(self.place, f"expect {self.name}", problem, f"so far, {heard(words)}")


def missing(wanted: tuple[str, ...], words: str) -> str | None:
    """The first of these that was not heard."""
    for phrase in wanted:
        if not says(phrase, words):
            hint = ", and whole words are compared" if phrase.casefold() in words.casefold() else ""
            return f'to hear "{phrase}"{hint}'
    return None


def unwanted(wanted: tuple[str, ...], words: str) -> str | None:
    """The first of these that was heard."""
    return next((f'not to hear "{each}"' for each in wanted if says(each, words)), None)


def disordered(wanted: tuple[str, ...], words: str) -> str | None:
    """The first of these that was not heard behind the one before."""
    lacks = in_order(wanted, words)
    return None if lacks is None else f'to hear "{lacks}" in this order: {", ".join(wanted)}'


def different(wanted: tuple[str, ...], words: str) -> str | None:
    """Whether other words were heard than these."""
    return None if words_of(" ".join(wanted)) == words_of(words) else f'to hear exactly "{" ".join(wanted)}"'


# --- the call -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turns:
    """How often the caller had their say."""

    place: Place
    number: int

    def check(self, play: Play) -> None:
        turns = play.dialled.turns
        if len(turns) != self.number:
            came = "; ".join(f'{turn.number}. "{turn.caller}"' for turn in turns) or "none"
            raise StepFailed(self.place, "expect turns", f"{self.number}", f"{len(turns)}: {shown(came)}")


@dataclass(frozen=True, slots=True)
class RepliesWithin:
    """How long the caller waited at most, as the library measures it."""

    place: Place
    limit: float

    def check(self, play: Play) -> None:
        waits = [(turn, turn.latency) for turn in play.dialled.turns if turn.latency is not None]
        if not waits:
            raise StepFailed(self.place, "expect replies within", "an answer that was heard", "none")
        for turn, latency in waits:
            if latency.total > self.limit:
                came = f'turn {turn.number}, "{turn.caller}": {latency}'
                raise StepFailed(self.place, "expect replies within", f"at most {_ms(self.limit)}", came)


@dataclass(frozen=True, slots=True)
class Ended:
    """Who ended the call, or the reason that the bot gives."""

    place: Place
    wanted: str

    def check(self, play: Play) -> None:
        report = play.report
        by_caller = play.dialled.carrier.end == "hung up"
        reason = report.reason if report is not None else ""
        right = BY[self.wanted] is by_caller if self.wanted in BY else self.wanted == reason.lower()
        if not right:
            came = f"by the {'caller' if by_caller else 'agent'}; the bot's reason: {reason}"
            raise StepFailed(self.place, "expect ended", self.wanted, came)


@dataclass(frozen=True, slots=True)
class LastsUnder:
    """How long the call was at most."""

    place: Place
    limit: float

    def check(self, play: Play) -> None:
        duration = play.report.duration if play.report is not None else play.now
        if duration > self.limit:
            raise StepFailed(self.place, "expect lasts under", f"{self.limit:g} s", f"{duration:.1f} s")


@dataclass(frozen=True, slots=True)
class NoFaults:
    """Nothing went wrong inside."""

    place: Place
    step: str = "expect faults"

    def check(self, play: Play) -> None:
        faults = play.dialled.call.faults
        if faults:
            came = "; ".join(f"{fault.kind} at {fault.at:.1f} s: {fault.message}" for fault in faults[:5])
            raise StepFailed(self.place, self.step, "none", shown(came))


@dataclass(frozen=True, slots=True)
class Faults:
    """These kinds of faults, and no other."""

    place: Place
    kinds: tuple[str, ...]

    def check(self, play: Play) -> None:
        came = sorted({fault.kind for fault in play.dialled.call.faults})
        if sorted(set(self.kinds)) != came:
            raise StepFailed(self.place, "expect faults", ", ".join(self.kinds), shown(", ".join(came)))


@dataclass(frozen=True, slots=True)
class AnyFaults:
    """Whatever goes wrong inside is not looked at."""

    def check(self, play: Play) -> None:
        """Holds."""


# --- memory and tools ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """What the agent remembers to have said: of a turn, or last."""

    place: Place
    turn: int
    """From 1; 0: what was said last."""
    heard: tuple[str, ...] | None
    """Words; none at all when empty; None: whatever."""
    unheard: tuple[str, ...] | None
    interrupted: bool | None

    def check(self, play: Play) -> None:
        said = self._said(play)
        for name, wanted, came in (("heard", self.heard, said.heard), ("unheard", self.unheard, said.unheard)):
            if wanted == () and came:
                raise StepFailed(self.place, f"expect memory, {name}", "nothing", shown(came))
            if problem := missing(wanted or (), came):
                raise StepFailed(self.place, f"expect memory, {name}", problem.removeprefix("to hear "), shown(came))
        if self.interrupted is not None and self.interrupted != said.interrupted:
            expected, came = ("yes", "no") if self.interrupted else ("no", "yes")
            raise StepFailed(self.place, "expect memory, interrupted", expected, came)

    def _said(self, play: Play) -> Turn:
        if self.turn:
            turns = play.dialled.turns
            found = next((turn for turn in turns if turn.number == self.turn), None)
            if found is None:
                raise StepFailed(self.place, "expect memory", f"a turn {self.turn} that is over", f"{len(turns)} turns")
            return found
        last = [m for m in play.dialled.call.conversation if m.role == "assistant" and (m.text or m.unheard)]
        if not last:
            raise StepFailed(self.place, "expect memory", "something that the agent has said", "nothing yet")
        message: Message = last[-1]
        return Turn(0, "", message.text, message.unheard, message.interrupted)


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools that were called, in this order, and no others."""

    place: Place
    wanted: tuple[ToolNamed, ...]

    def check(self, play: Play) -> None:
        used = play.dialled.tools
        came = shown("; ".join(f"{use.name}({_given(use.arguments)})" for use in used))
        if [use.name for use in used] != [wanted.name for wanted in self.wanted]:
            names = ", ".join(wanted.name for wanted in self.wanted) or "none"
            raise StepFailed(self.place, "expect tools", names, came)
        for wanted, use in zip(self.wanted, used, strict=True):
            given = use.arguments if isinstance(use.arguments, dict) else {}
            if any(name not in given or given[name] != value for name, value in wanted.arguments.items()):
                raise StepFailed(wanted.place, "expect tools", str(wanted), came)


def _given(arguments: object) -> str:
    if isinstance(arguments, dict):
        return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return repr(arguments)


# --- the judge ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """A question for the judge, about all that was said so far. It is put when the call is over."""

    place: Place
    text: str
    yes: bool = True

    def check(self, play: Play) -> None:
        transcript = transcript_of(play.dialled.call.conversation)
        play.questions.append(Question(self.place, self.text, self.yes, transcript))


# --- reading ------------------------------------------------------------------------------------------------


def read_question(source: Source, node: Node) -> tuple[Judged, ...]:
    """``judge``: a question, one with the answer that is expected, or a list of these."""
    if node.kind == "list":
        return tuple(
            judged for item in each(source, node, "questions", lambda n: read_question(source, n)) for judged in item
        )
    if node.kind == "text":
        return (Judged(node.place, text(node)),)
    fields = Fields(source, node, "a question", ("asks", "expects"))
    asked = fields.need("asks", text, "expected 'asks: …', the question")
    return (Judged(node.place, asked, fields.get("expects", flag, True)),)


def _words(wrong: Callable[[tuple[str, ...], str], str | None]) -> Callable[[Source, Node, str], tuple[Check, ...]]:
    return lambda source, node, name: (Words(node.place, name, one_or_more(text)(node), wrong),)


def _ended(source: Source, node: Node, name: str) -> tuple[Check, ...]:
    wanted = " ".join(text(node).lower().split())
    if wanted.startswith(("by ", "from ")) and wanted not in BY:
        known = f"expected {' or '.join(BY)}, or the bot's own reason, such as caller silent"
        raise Wrong(node.place, f"{known}; got {node.shown}{nearest(wanted, BY)}")
    return (Ended(node.place, wanted),)


def _faults(source: Source, node: Node, name: str) -> tuple[Check, ...]:
    plain: dict[str, Check] = {"none": NoFaults(node.place), "any": AnyFaults()}
    if node.kind == "text" and name_of(node) in plain:
        return (plain[name_of(node)],)
    return (Faults(node.place, one_or_more(text)(node)),)


def _tools(source: Source, node: Node, name: str) -> tuple[Check, ...]:
    none = node.kind == "text" and name_of(node) == "none"
    return (Tools(node.place, () if none else tools_named(node)),)


def _memory(source: Source, node: Node, name: str) -> tuple[Check, ...]:
    if node.kind == "list":
        return tuple(each(source, node, "memories", lambda item: _one_memory(source, item)))
    return (_one_memory(source, node),)


def _one_memory(source: Source, node: Node) -> Memory:
    fields = Fields(source, node, "the memory", ("turn", "heard", "unheard", "interrupted"))
    return Memory(
        node.place,
        fields.get("turn", count, 0),
        fields.get("heard", _some_words, None),
        fields.get("unheard", _some_words, None),
        fields.get("interrupted", flag, None),
    )


def _some_words(node: Node) -> tuple[str, ...]:
    """Words; ``nothing`` for none at all."""
    if node.kind == "text" and not node.quoted and node.text.strip().lower() == "nothing":
        return ()
    return one_or_more(text)(node)


EXPECT: Final[dict[str, Callable[[Source, Node, str], tuple[Check, ...]]]] = {
    "heard": _words(missing),
    "not heard": _words(unwanted),
    "heard in order": _words(disordered),
    "memory": _memory,
    "tools": _tools,
    "turns": lambda source, node, name: (Turns(node.place, count(node)),),
    "replies within": lambda source, node, name: (RepliesWithin(node.place, seconds(node)),),
    "faults": _faults,
    "judge": lambda source, node, name: read_question(source, node),
    "ended": _ended,
    "lasts under": lambda source, node, name: (LastsUnder(node.place, seconds(node)),),
}
"""Readers of what can be expected."""


def read_expect(source: Source, node: Node, *, at_the_end: bool) -> tuple[Check, ...]:
    """``expect``: under a call, or in the middle of it."""
    known = [name for name in EXPECT if at_the_end or name not in AT_THE_END]
    left = []
    for name, entry in node.pairs:
        if name_of(name) in EXPECT and name_of(name) not in known:
            message = f'"{name_of(name)}" is known when the call is over: put it under "expect:", behind "call:"'
            source.wrong(Wrong(name.place, message))
        else:
            left.append((name, entry))
    fields = Fields(source, replace(node, pairs=tuple(left)), "what to expect", known)
    checks: list[Check] = []
    for word in known:
        reader = partial(_read_one, source, word)
        checks += fields.get(word, reader, ())
    return tuple(checks)


def _read_one(source: Source, word: str, node: Node) -> tuple[Check, ...]:
    return EXPECT[word](source, node, word)


def _ms(limit: float) -> str:
    return f"{limit * 1000:.0f} ms"
