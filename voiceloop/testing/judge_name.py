"""Names of judges, on the command line and in the environment."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Final

from voiceloop.cli.models import ModelNameError, parse_llm
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.llm.base import LLM

__all__ = ["JUDGE_FORMS", "VARIABLE", "parse_judge"]

VARIABLE: Final = "VOICELOOP_JUDGE"
"""Names the judge where no option does."""
JUDGE_FORMS: Final = "anthropic:MODEL, openai:URL#MODEL, openai:#MODEL, gguf:PATH or FILE.py:NAME"
"""What `parse_judge` takes, for the help of a command."""


def parse_judge(text: str) -> LLM:
    """The model that a name stands for. Nothing is loaded, opened or asked yet.

    - ``anthropic:MODEL``: `AnthropicLLM`; the key is taken from ``ANTHROPIC_API_KEY``.
    - ``openai:URL#MODEL``, ``openai:#MODEL``, ``gguf:PATH``: see `voiceloop.cli.models.parse_llm`.
    - ``FILE.py:NAME``: an `LLM` of a Python file, or a function there that makes one.

    Raises:
        ModelNameError: it is none of these, or there is no such thing in the file.
        ModelError: the file of a model is not there.
    """
    kind, colon, rest = text.strip().partition(":")
    path, _, name = text.strip().rpartition(":")
    if path.endswith(".py"):
        return _of_file(Path(path).expanduser(), name)
    if kind == "anthropic" and rest.strip():
        from voiceloop.llm.anthropic import AnthropicLLM

        return AnthropicLLM(rest.strip())
    if colon and kind in ("openai", "gguf"):
        return parse_llm(text)
    raise ModelNameError(f"expected a judge as {JUDGE_FORMS}; got {text!r}")


def _of_file(path: Path, name: str) -> LLM:
    spec = importlib.util.spec_from_file_location(f"voiceloop_judge_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ModelNameError(f"expected a judge in a Python file, but there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        found = getattr(module, name, None)
        made = found if isinstance(found, LLM) or not callable(found) else found()
    except VoiceloopError:
        raise
    except Exception as error:
        raise ModelNameError(f"the judge {path}:{name} cannot be made: {describe(error)[0]}") from error
    if not isinstance(made, LLM):
        raise ModelNameError(f"expected an LLM, or a function that makes one, as {name} in {path}; got {made!r:.100}")
    return made
