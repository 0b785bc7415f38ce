"""Names of language models on the command line: ``--llm openai:URL#MODEL`` and ``--llm gguf:PATH``."""

from __future__ import annotations

from pathlib import Path

from voiceloop.errors import VoiceloopError
from voiceloop.llm.base import LLM

__all__ = ["LLM_FORMS", "ModelNameError", "parse_llm"]

LLM_FORMS = "openai:URL#MODEL, openai:#MODEL or gguf:PATH"
"""What `parse_llm` takes, for the help of a command."""
_EXAMPLES = """for example
  openai:http://localhost:11434/v1#qwen3:8b   a model of Ollama
  openai:http://localhost:8000/v1             the only model of vLLM or of llama.cpp's server
  openai:#gpt-4.1-mini                        a model of OpenAI; the key is in OPENAI_API_KEY
  gguf:model.gguf                             a file, read in this process"""


class ModelNameError(VoiceloopError):
    """A name that stands for no model."""


def parse_llm(text: str) -> LLM:
    """The model that a text names. Nothing is loaded, opened or asked yet; a file must be there.

    - ``openai:URL#MODEL``: `OpenAILLM` at this address, such as ``openai:http://localhost:11434/v1#qwen3:8b``;
      ``openai:#MODEL`` at OpenAI. Without a model: the only one the server offers. The key is taken from the
      environment variable ``OPENAI_API_KEY``, if there is one.
    - ``gguf:PATH``: `LlamaCpp` with this file.

    Raises:
        ModelNameError: it is neither.
        ModelError: the file is not there, or no GGUF.
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "openai":
        return _openai(rest)
    if kind == "gguf":
        return _gguf(rest)
    raise ModelNameError(f"expected a model as {LLM_FORMS}, got {text!r}; {_EXAMPLES}")


def _openai(rest: str) -> LLM:
    from voiceloop.llm.openai import OPENAI, OpenAILLM

    address, _, model = rest.partition("#")
    if not address and not model:
        raise ModelNameError(f"openai: wants the address of a server, or #MODEL; {_EXAMPLES}")
    if not model and address.rstrip("/") in ("", OPENAI):
        raise ModelNameError(f"OpenAI offers many models: name one behind '#'; {_EXAMPLES}")
    try:
        return OpenAILLM(model or None, base_url=address or OPENAI)
    except ValueError as error:
        raise ModelNameError(f"openai: {error}; {_EXAMPLES}") from None


def _gguf(rest: str) -> LLM:
    from voiceloop.llm.llamacpp import LlamaCpp
    from voiceloop.llm.llamacpp_server import check_gguf

    if not rest:
        raise ModelNameError(f"gguf: wants the path of a file; {_EXAMPLES}")
    path = Path(rest).expanduser()
    check_gguf(path)
    return LlamaCpp(path)
