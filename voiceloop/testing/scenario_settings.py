"""What a scenario file says of the line, the caller and the providers, and how the call is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final, TypeVar

from voiceloop.llm.base import LLM
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing.scenario_faults import ProviderFault, faulty, line_faults, provider_faults
from voiceloop.testing.scenario_fields import (
    Fields,
    count,
    entries,
    flag,
    listed,
    name_of,
    number,
    seconds,
    text,
    value,
)
from voiceloop.testing.scenario_source import Node, Place, Problem, ScenarioError, Source, Wrong
from voiceloop.testing.scripted import Calls, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.base import TTS

__all__ = ["Caller", "Providers", "ToolNamed", "read_caller", "read_line", "read_providers", "tools_named"]

P = TypeVar("P")
Reply = str | Calls | tuple[str | Calls, ...]

SCRIPTED: Final = ("delay", "first word after", "words per second")
"""Settings of scripted providers."""
REPLIES: Final = ("says", "calls")
_MAX_ARGUMENTS = 4000
"""Characters of what a tool is given, as JSON."""


@dataclass(frozen=True, slots=True)
class ToolNamed:
    """A tool that is called."""

    place: Place
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """Those that are named; there may be others."""

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={json.dumps(each)}' for name, each in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    number: str = ""
    called: str = ""
    """The number that was called."""
    patience: float = 30.0
    """Seconds that the caller waits for anything."""
    silence: float = 0.8
    """Seconds of silence after which the agent has finished."""
    parameters: tuple[tuple[str, str], ...] = ()
    """What the webhook attached to the call."""

    def all_parameters(self) -> dict[str, str]:
        named = {"caller": self.number, "number": self.called}
        return dict(self.parameters) | {name: each for name, each in named.items() if each}


@dataclass(frozen=True, slots=True)
class Providers:
    """Who recognises, answers and speaks."""

    replies: tuple[Reply, ...] = ("Okay.",)
    own: tuple[tuple[type, Place], ...] = ()
    """Base classes of the bot's own providers that are used."""
    delay: float = 0.0
    """Of the recogniser, seconds."""
    first_word: float = 0.0
    """Of the model, seconds."""
    rate: float = 0.0
    """Of the model, words a second."""
    first_sound: float = 0.0
    """Of the voice, seconds."""
    word_times: bool = True
    """Of the voice."""
    faults: tuple[ProviderFault, ...] = ()

    def borrowed(self, module: ModuleType | None) -> dict[type, Any]:
        """The bot's own providers that are used, by their kind.

        Raises:
            ScenarioError: the bot's module has none of a kind, or several.
        """
        return {base: _own(module, base, place) for base, place in self.own}

    def make(self, lexicon: Lexicon, borrowed: dict[type, Any]) -> dict[str, Any]:
        """The arguments of `dial`, made anew for each call."""
        named: dict[type, Any] = {
            STT: ScriptedSTT(lexicon, delay=self.delay),
            LLM: ScriptedLLM(self.replies, first=self.first_word, rate=self.rate),
            TTS: ScriptedTTS(lexicon, first=self.first_sound, words=self.word_times),
        }
        named |= borrowed
        return {base.__name__.lower(): faulty(base, each, self.faults) for base, each in named.items()}


def _own(module: ModuleType | None, base: type, place: Place) -> object:
    """The provider of a kind that a bot's module has built."""
    found = [each for each in vars(module).values() if isinstance(each, base)] if module is not None else []
    if len({id(each) for each in found}) != 1:
        where = f"the bot's module {module.__name__}" if module is not None else "the bot"
        message = f"expected one {base.__name__} in {where}, built where the module is loaded; found {len(found)}"
        raise ScenarioError([Problem(place, message)])
    return found[0]


# --- reading ------------------------------------------------------------------------------------------------


def read_line(source: Source, node: Node) -> CarrierOptions:
    """``line``: how the carrier behaves."""
    known = {
        "delay to agent": ("delay_to_server", seconds),
        "delay to caller": ("delay_from_server", seconds),
        "jitter": ("jitter", seconds),
        "seed": ("seed", count),
        "ends without notice": ("drop_stop", flag),
        "faults": ("faults", line_faults),
    }
    fields = Fields(source, node, "the line", list(known))
    options = CarrierOptions()
    for name, (attribute, read) in known.items():
        given: Any = fields.get(name, read, getattr(options, attribute))
        options = replace(options, **{attribute: given})
    return options


def read_caller(source: Source, node: Node) -> Caller:
    """``caller``."""
    fields = Fields(source, node, "the caller", ("number", "called", "patience", "silence", "parameters"))
    plain = Caller()
    return Caller(
        number=fields.get("number", text, ""),
        called=fields.get("called", text, ""),
        patience=fields.get("patience", seconds, plain.patience),
        silence=fields.get("silence", seconds, plain.silence),
        parameters=fields.get("parameters", _parameters, ()),
    )


def _parameters(node: Node) -> tuple[tuple[str, str], ...]:
    if node.kind != "mapping":
        raise Wrong(node.place, f"expected names and their texts, such as table: 7; got {node.shown}")
    return tuple((name, text(each)) for name, each in entries(node).items())


def read_providers(source: Source, entries: dict[str, Node]) -> Providers:
    """``replies``, ``recogniser``, ``model`` and ``voice``, as far as they are there."""
    read: dict[str, Callable[[Source, Node, Providers], Providers]] = {
        "replies": _replies,
        "recogniser": _recogniser,
        "model": _model,
        "voice": _voice,
    }
    providers = Providers()
    for name, reader in read.items():
        if name in entries:
            try:
                providers = reader(source, entries[name], providers)
            except Wrong as wrong:
                source.wrong(wrong)
    own_model = [place for base, place in providers.own if base is LLM]
    if own_model and "replies" in entries:
        message = "the bot's own model gives its own replies: leave out either this or 'model: own'"
        source.wrong(Wrong(entries["replies"].place, message))
    return providers


def _recogniser(source: Source, node: Node, providers: Providers) -> Providers:
    fields, own = _own_or_settings(source, node, "the recogniser", ("own", "delay", "fails"))
    providers = replace(providers, delay=fields.get("delay", seconds, 0.0))
    return _used(source, providers, STT, own, fields)


def _model(source: Source, node: Node, providers: Providers) -> Providers:
    known = ("own", "first word after", "words per second", "fails")
    fields, own = _own_or_settings(source, node, "the model", known)
    first, rate = fields.get("first word after", seconds, 0.0), fields.get("words per second", number, 0.0)
    return _used(source, replace(providers, first_word=first, rate=rate), LLM, own, fields)


def _voice(source: Source, node: Node, providers: Providers) -> Providers:
    if node.kind == "text" and name_of(node) == "own":
        raise Wrong(node.place, "the voice of a scenario is always an artificial one: what is heard is read from it")
    fields = Fields(source, node, "the voice", ("first sound after", "word times", "fails"))
    first, times = fields.get("first sound after", seconds, 0.0), fields.get("word times", flag, True)
    return _used(source, replace(providers, first_sound=first, word_times=times), TTS, None, fields)


def _own_or_settings(source: Source, node: Node, what: str, known: Sequence[str]) -> tuple[Fields, Place | None]:
    """Settings of a provider, and where it says that the bot's own is used; the word ``own`` alone says just that."""
    if node.kind == "text" and name_of(node) == "own":
        return Fields(source, replace(node, kind="mapping"), what, known), node.place
    fields = Fields(source, node, what, known)
    return fields, fields.place("own") if fields.get("own", flag, False) else None


def _used(source: Source, providers: Providers, base: type, own: Place | None, fields: Fields) -> Providers:
    """With what all providers have in common: whether it is the bot's own, and what goes wrong."""
    none: tuple[ProviderFault, ...] = ()
    faults = fields.get("fails", lambda node: provider_faults(source, node, base), none)
    providers = replace(providers, faults=providers.faults + faults)
    if own is None:
        return providers
    scripted = [name for name in SCRIPTED if name in fields]
    if scripted:
        message = f'the bot\'s own is as quick as it is: leave out "{scripted[0]}", or "own"'
        source.wrong(Wrong(fields.place(scripted[0]), message))
    return replace(providers, own=(*providers.own, (base, own)))


# --- what the model says ------------------------------------------------------------------------------------


def _replies(source: Source, node: Node, providers: Providers) -> Providers:
    def read(item: Node) -> Reply:
        if item.kind == "text":
            return text(item)
        fields = Fields(source, item, "a reply", REPLIES)
        said = fields.get("says", text, "")
        uses: Sequence[ToolNamed] = fields.get("calls", tools_named, ())
        called = [_call(each) for each in uses]
        if not any(name in fields for name in REPLIES):
            raise Wrong(item.place, "expected a text, or 'says: …', 'calls: …' or both")
        return (*([said] if said else []), *called)

    return replace(providers, replies=listed(read, "replies")(node))


def _call(use: ToolNamed) -> Calls:
    written = json.dumps(use.arguments)
    if len(written) > _MAX_ARGUMENTS:
        raise Wrong(use.place, f"expected at most {_MAX_ARGUMENTS} characters of arguments, got {len(written)}")
    return Calls(use.name, written)


def tools_named(node: Node) -> tuple[ToolNamed, ...]:
    """Tools and what they are given: ``hang_up``, ``price: {drink: latte}``, or a list of these."""
    if node.kind == "list":
        return tuple(use for item in node.items for use in tools_named(item))
    if node.kind == "text":
        return (ToolNamed(node.place, text(node)),)
    uses = []
    entries(node)
    for name, given in node.pairs:
        if given.kind != "mapping" and not given.empty:
            example = f"{name.text}: {{drink: latte}}"
            raise Wrong(given.place, f"expected what {name.text} is given, such as {example}; got {given.shown}")
        arguments = {} if given.empty else {key: value(each) for key, each in entries(given).items()}
        uses.append(ToolNamed(name.place, text(name), arguments))
    return tuple(uses)
