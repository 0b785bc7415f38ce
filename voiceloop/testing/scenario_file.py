"""Scenario files: calls of a test, written by people who do not write Python. ``docs/scenarios.md`` has the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing.scenario_expect import NoFaults, read_expect
from voiceloop.testing.scenario_fields import Fields, each, flag, text
from voiceloop.testing.scenario_play import Check, Step
from voiceloop.testing.scenario_settings import Caller, Providers, read_caller, read_line, read_providers
from voiceloop.testing.scenario_source import Node, Place, Source, Wrong
from voiceloop.testing.scenario_steps import read_step

__all__ = ["ENDINGS", "Scenario", "load_scenarios"]

ENDINGS: Final = (".call.yaml", ".call.yml")
"""How the name of a scenario file ends."""
MAX_SCENARIOS: Final = 200
"""Of a file."""
SHARED: Final = (
    "name",
    "about",
    "bot",
    "caller",
    "line",
    "recogniser",
    "model",
    "voice",
    "replies",
    "real time",
    "invariants",
    "skip",
    "expect",
)
"""Settings that stand for all scenarios of a file, or for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One call of a file."""

    name: str
    place: Place
    """Where it begins."""
    bot: str
    """``shop.py``, ``shop.py:bot`` or ``package.module:bot``."""
    bot_place: Place
    folder: Path
    """Of the file: where the bot is looked for."""
    caller: Caller
    line: CarrierOptions
    providers: Providers
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    """When the call is over."""
    real_time: bool = False
    invariants: bool = True
    """Whether what holds of every call is looked at, too."""
    skip: str = ""
    """Why it is not run."""


def load_scenarios(path: str | Path, text: str | None = None) -> list[Scenario]:
    """Read a scenario file.

    Args:
        path: the file.
        text: what it holds, when that is known already.

    Raises:
        ScenarioError: with everything that is wrong with it.
        MissingExtra: PyYAML is not installed.
    """
    source = Source(Path(path), text)
    scenarios: list[Scenario] = []
    try:
        scenarios = _scenarios(source)
    except Wrong as wrong:
        source.wrong(wrong)
    source.finish()
    return scenarios


def _scenarios(source: Source) -> list[Scenario]:
    root = Fields(source, source.root, "a scenario", (*SHARED, "call", "scenarios"))
    if "scenarios" not in root:
        if "call" not in root:
            raise Wrong(source.root.place, "expected 'call:' with its steps, or 'scenarios:' with several calls")
        return [_scenario(source, root, None)]
    if "call" in root:
        raise Wrong(root.place("call"), "a file has either 'call:' or 'scenarios:' with a call in each")
    if "name" in root:
        raise Wrong(root.place("name"), "each of the scenarios has a name of its own: say what the file is in 'about:'")
    node = root.entry("scenarios")
    assert node is not None

    def read(item: Node) -> Scenario:
        return _scenario(source, Fields(source, item, "a scenario", (*SHARED, "call")), root)

    found = each(source, node, "scenarios", read, MAX_SCENARIOS)
    _named_apart(source, found)
    return found


def _named_apart(source: Source, scenarios: Sequence[Scenario]) -> None:
    first: dict[str, Scenario] = {}
    for scenario in scenarios:
        if (other := first.setdefault(scenario.name, scenario)) is not scenario:
            message = f'the name "{scenario.name}" is taken: the scenario in line {other.place.line} has it'
            source.wrong(Wrong(scenario.place, message))


def _scenario(source: Source, own: Fields, shared: Fields | None) -> Scenario:
    def entry(name: str) -> Node | None:
        found = own.entry(name)
        return found if found is not None or shared is None else shared.entry(name)

    entries = {name: node for name in SHARED if (node := entry(name)) is not None}
    name = own.get("name", text, "")
    if not name and shared is not None:
        source.wrong(Wrong(own.node.place, "expected 'name: …', what this call is about"))
    if "bot" not in entries:
        raise Wrong(own.node.place, "expected 'bot: …', the file of the bot, such as coffee_bot.py")
    whole = Fields(source, Node(own.node.place, "mapping", pairs=_pairs(entries)), "a scenario", SHARED)
    steps = own.need("call", lambda node: _steps(source, node), "expected 'call:' with its steps")
    providers = read_providers(source, entries)
    line = whole.get("line", lambda node: read_line(source, node), CarrierOptions())
    return Scenario(
        name=name or _stem(source.path),
        place=own.place("name") if "name" in own else own.node.place,
        bot=whole.get("bot", text, ""),
        bot_place=entries["bot"].place,
        folder=source.path.absolute().parent,
        caller=whole.get("caller", lambda node: read_caller(source, node), Caller()),
        line=line,
        providers=providers,
        steps=steps,
        checks=_checks(source, own, shared, broken=bool(providers.faults or line.faults)),
        real_time=whole.get("real time", flag, False),
        invariants=whole.get("invariants", flag, True),
        skip=whole.get("skip", text, ""),
    )


def _pairs(entries: dict[str, Node]) -> tuple[tuple[Node, Node], ...]:
    return tuple((Node(node.place, "text", text=name), node) for name, node in entries.items())


def _steps(source: Source, node: Node) -> tuple[Step, ...]:
    return tuple(each(source, node, "steps", lambda item: read_step(source, item)))


def _checks(source: Source, own: Fields, shared: Fields | None, *, broken: bool) -> tuple[Check, ...]:
    """What is expected here, and of all scenarios of the file; and no faults, unless they are spoken of or made."""
    checks: list[Check] = []
    named: set[str] = set()
    for fields in (own, shared):
        node = fields.entry("expect") if fields is not None else None
        if node is None:
            continue
        left = tuple(pair for pair in node.pairs if " ".join(pair[0].text.lower().split()) not in named)
        try:
            rest = Node(node.place, node.kind, node.text, node.quoted, node.items, left)
            checks += read_expect(source, rest, at_the_end=True)
        except Wrong as wrong:
            source.wrong(wrong)
        named |= {" ".join(name.text.lower().split()) for name, _ in node.pairs}
    if "faults" not in named and not broken:
        checks.append(NoFaults(own.node.place, "nothing may go wrong inside (unless 'expect: faults:' says so)"))
    return tuple(checks)


def _stem(path: Path) -> str:
    for ending in ENDINGS:
        if path.name.endswith(ending):
            return path.name[: -len(ending)]
    return path.stem
