"""The llama.cpp engine inside this process, and one answer of it in a thread of its own. Blocking; no asyncio."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voiceloop.conversation import Message
from voiceloop.errors import ModelError, require
from voiceloop.llm.base import Usage

__all__ = ["Engine", "EngineOptions", "PromptTooLong", "check_gguf"]

_GGUF = b"GGUF"
_MOVED = 32
"""Tokens: a stretch of at least this many that stands further back in the cache than in the prompt is moved, not read
again. So the turn in which the oldest turns of a long call are dropped costs no more than any other."""


class PromptTooLong(ModelError):
    """The conversation does not fit into a slot."""

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(
            f"the prompt takes {tokens} tokens and a slot holds {context}: shorten the instructions or raise `context`"
        )
        self.tokens = tokens
        self.context = context


@dataclass(slots=True, frozen=True)
class EngineOptions:
    """What is fixed when the model is loaded."""

    threads: int = 1
    """Threads that compute. llama.cpp's threads wait for each other by spinning: with more of them than free
    cores everything gets slower, so leave a core to the rest."""
    slots: int = 4
    """Answers written at the same time; each keeps the beginning of its conversation ready. Further ones wait."""
    context: int = 2048
    """Tokens a slot holds: instructions, turns and answer."""
    cache_mb: int = 256
    """Memory for conversations that have lost their slot to another, MB."""

    def __post_init__(self) -> None:
        if min(self.threads, self.slots) < 1 or self.context < 256 or self.cache_mb < 0:
            raise ValueError(f"expected threads and slots of at least 1, context of at least 256, got {self}")


class Engine:
    """A loaded model. Several threads may call it at once."""

    def __init__(self, path: Path, options: EngineOptions) -> None:
        """Load `path`. Blocks for about a second for a small model.

        Raises:
            MissingExtra: xllamacpp is not installed.
            ModelError: there is no such file, it is no GGUF, or llama.cpp cannot use it.
        """
        llama = require("xllamacpp", "local", "LlamaCpp")
        check_gguf(path)
        parameters = llama.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel = options.slots
        parameters.n_ctx = options.context * options.slots
        parameters.kv_unified = False  # a share for each slot, so that no call can take another's room
        for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
            cpu.n_threads = options.threads
        parameters.cache_ram_mib = options.cache_mb
        parameters.cache_idle_slots = False
        parameters.n_cache_reuse = _MOVED
        parameters.verbosity = -1
        parameters.warmup = parameters.fit_params = False  # both run the model while the interpreter is held
        # The engine opens a port on the loopback interface that we do not use: nobody else may either.
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [secrets.token_urlsafe(24)]
        parameters.endpoint_slots = parameters.endpoint_props = parameters.ui = False
        self.slots = options.slots
        _into_memory(path)
        try:
            self._server: Any = llama.Server(parameters)
        except Exception as error:  # it raises RuntimeError for everything, with little to say
            size = path.stat().st_size
            raise ModelError(
                f"llama.cpp cannot load {path} ({size / 1e6:.0f} MB): {error} The file may be cut short, of an "
                "architecture that this version does not know, or too large for the memory."
            ) from error
        # The first run allocates; let no caller wait for it.
        self.answer([Message("user", "Hello.")], {"max_tokens": 1}, lambda item: None, threading.Event())

    def prepare(self, messages: Sequence[Message], everywhere: bool) -> None:
        """Read a beginning of conversations ahead, into one slot or into each. Blocks until they have done so."""
        for slot in range(self.slots) if everywhere else (-1,):
            self.answer(messages, {"id_slot": slot, "max_tokens": 1}, lambda item: None, threading.Event())

    def answer(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        write: Callable[[str | Usage], None],
        stop: threading.Event,
    ) -> None:
        """Write one answer, piece by piece. Blocks until it is complete or, after `stop` was set, the next token.

        Raises:
            PromptTooLong: the messages do not fit.
            ModelError: llama.cpp refused or failed.
        """
        request = {
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": True,
            **settings,
        }
        failures: list[BaseException] = []

        def receive(chunk: Any) -> bool:
            # What is raised in here the engine would swallow and go on.
            try:
                for item in _read(chunk):
                    write(item)
            except Exception as error:
                failures.append(error)
            return stop.is_set() or bool(failures)

        try:
            self._server.handle_chat_completions(request, receive)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"llama.cpp refused the conversation: {error}") from error
        if failures:
            raise failures[0]


def _read(chunk: Any) -> list[str | Usage]:
    """What a chunk of the engine's stream says."""
    if "error" in chunk:
        error = chunk["error"]
        if error.get("type") == "exceed_context_size_error":
            raise PromptTooLong(int(error["n_prompt_tokens"]), int(error["n_ctx"]))
        raise ModelError(f"llama.cpp failed: {error.get('message', error)}")
    items: list[str | Usage] = [
        choice["delta"]["content"] for choice in chunk.get("choices", ()) if choice.get("delta", {}).get("content")
    ]
    usage = chunk.get("usage")
    if usage:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        items.append(Usage(usage["prompt_tokens"], usage["completion_tokens"], cached))
    return items


def check_gguf(path: Path) -> None:
    """Raise `ModelError` unless `path` is a file that begins like a GGUF."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    if start != _GGUF:
        raise ModelError(f"{path} is not a GGUF file: it begins with {start!r}, expected {_GGUF!r}")


def _into_memory(path: Path) -> None:
    """Have the file read now, off the interpreter, which llama.cpp holds while it loads, however slow the disk is."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
