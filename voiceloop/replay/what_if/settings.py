"""Options of a pipeline by name, ``turns.silence``, to be set to something else than its bot says."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

from voiceloop.errors import VoiceloopError
from voiceloop.faults import FaultPolicy
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Limits, Runtime
from voiceloop.stt.processor import STTProcessor
from voiceloop.tts.processor import TTSProcessor
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import VADProcessor

__all__ = ["BadSetting", "Changed", "Settings", "apply", "parse"]

Value = bool | int | float | str
Settings = Mapping[str, Value]


class BadSetting(VoiceloopError):
    """A setting that cannot be made; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A setting that was made."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class _Stage:
    """Options that stand together."""

    name: str
    options: Any
    """A frozen dataclass."""
    put: Callable[[Any], None]


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Settings as they stand in a command line: ``turns.silence=0.4``.

    Raises:
        BadSetting: one has no ``=`` or no name.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise BadSetting(f"--set takes NAME=VALUE such as turns.silence=0.4, got {text!r:.80}")
        settings[name.strip()] = value.strip()
    return settings


def apply(settings: Settings, pipeline: Pipeline, runtime: Runtime) -> list[Changed]:
    """Set options of a pipeline that has not begun, and of its runtime.

    Raises:
        BadSetting: there is no such option in this pipeline, or it does not take the value.
    """
    stages = _stages(pipeline.processors, runtime)
    values: dict[str, dict[str, Any]] = {}
    changed: list[Changed] = []
    for name, value in settings.items():
        stage, option = _find(stages, name)
        before = getattr(stage.options, option)
        after = _value(name, before, value)
        values.setdefault(stage.name, {})[option] = after
        changed.append(Changed(name, before, after))
    for stage in stages:
        if stage.name in values:
            try:
                options = replace(stage.options, **values[stage.name])
            except ValueError as error:
                raise BadSetting(f"{stage.name} cannot be set so: {error}") from None
            stage.put(options)
    return changed


def _stages(processors: Iterable[Processor], runtime: Runtime) -> list[_Stage]:
    stages: list[_Stage] = []
    for processor in processors:
        for kind, name in _KINDS:
            if isinstance(processor, kind) and all(each.name != name for each in stages):
                stages.append(_Stage(name, processor.options, partial(setattr, processor, "options")))

    def limits(options: Limits) -> None:
        runtime.limits = options

    def faults(options: FaultPolicy) -> None:
        runtime.faults = options

    return [*stages, _Stage("limits", runtime.limits, limits), _Stage("faults", runtime.faults, faults)]


def _find(stages: list[_Stage], name: str) -> tuple[_Stage, str]:
    named, _, option = name.partition(".")
    for stage in stages:
        if stage.name == named and option in {each.name for each in fields(stage.options)}:
            return stage, option
    known = {
        f"{stage.name}.{each.name}": getattr(stage.options, each.name)
        for stage in stages
        for each in fields(stage.options)
    }
    near = difflib.get_close_matches(name, known, 1, 0.4)
    near = near or [each for each in known if each.partition(".")[2] == (option or named)][:1]
    hint = f" Did you mean {near[0]}?" if near else ""
    listed = "\n".join(f"  {each} = {_shown(value)}" for each, value in known.items())
    raise BadSetting(f"there is no option {name!r} in this pipeline.{hint} There are, with their values now:\n{listed}")


def _value(name: str, before: Any, value: Any) -> Any:
    """The value in the type of the option."""
    kind = type(before)
    expected = _EXPECTED.get(kind)
    if expected is None:
        raise BadSetting(f"{name} is {before!r:.80}: that cannot be set here")
    made = expected[1](value)
    if made is None:
        raise BadSetting(f"{name} takes {expected[0]}, as {_shown(before)} is; got {value!r:.80}")
    return made


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())


def _whole(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    try:
        made = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return made if made is not None and abs(made) < float("inf") else None


_EXPECTED: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    bool: ("true or false", _truth),
    int: ("a whole number", _whole),
    float: ("a number", _number),
    str: ("a text", lambda value: value if isinstance(value, str) else None),
}


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_KINDS: Final[list[tuple[type[Any], str]]] = [
    (VADProcessor, "vad"),
    (STTProcessor, "stt"),
    (TurnTaking, "turns"),
    (LLMAggregator, "llm"),
    (TTSProcessor, "tts"),
    (AudioStreamer, "output"),
]
