"""The embedded language model: the provider around a stand-in engine, and the real one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.errors import ModelError, VoiceloopError
from voiceloop.llm import llamacpp
from voiceloop.llm.base import Usage
from voiceloop.llm.llamacpp import LlamaCpp, LlamaCppOptions
from voiceloop.llm.llamacpp_server import EngineOptions, PromptTooLong, check_gguf

HELLO = [Message("system", "Be kind."), Message("user", "Hello.")]


class Scripted:
    """An engine that writes given pieces, and waits for `go` before each when there is one."""

    def __init__(self, *pieces: str | Usage, go: threading.Semaphore | None = None) -> None:
        self.pieces = pieces
        self.go = go
        self.asked: list[Sequence[Message]] = []
        self.settings: Mapping[str, Any] = {}
        self.prepared: list[tuple[str, bool]] = []
        self.stopped = threading.Event()
        self.refuse = 0

    def prepare(self, messages: Sequence[Message], everywhere: bool) -> None:
        self.prepared.append((messages[0].text, everywhere))

    def answer(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        write: Callable[[str | Usage], None],
        stop: threading.Event,
    ) -> None:
        self.asked.append(messages)
        self.settings = settings
        if self.refuse:
            self.refuse -= 1
            raise PromptTooLong(4000, 2048)
        for piece in self.pieces:
            if self.go is not None:
                self.go.acquire(timeout=10)
            if stop.is_set():
                self.stopped.set()
                return
            write(piece)


def model_on(scripted: Scripted, monkeypatch: pytest.MonkeyPatch, **options: Any) -> LlamaCpp:
    monkeypatch.setattr(llamacpp, "_loaded", lambda path, options: scripted)
    return LlamaCpp(options=LlamaCppOptions(**options))


async def test_in_virtual_time_each_token_takes_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_on(Scripted("Hi", " there", Usage(5, 2)), monkeypatch, token_cost=0.5)
    loop = asyncio.get_running_loop()
    start = loop.time()
    items = [(item, loop.time() - start) async for item in model.respond(HELLO)]
    assert items == [("Hi", 0.5), (" there", 1.0), (Usage(5, 2), 1.5)]


@pytest.mark.realtime
async def test_tokens_come_while_the_rest_is_still_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Semaphore(0)
    model = model_on(Scripted("Hi", " there", go=go), monkeypatch, max_tokens=7, temperature=0.5)
    async with aclosing(model.respond(HELLO)) as answer:
        go.release()
        assert await anext(answer) == "Hi"
        go.release()
        assert [item async for item in answer] == [" there"]
    await model.aclose()


@pytest.mark.realtime
async def test_closing_stops_the_engine_and_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Semaphore(1)
    engine = Scripted("Hi", " there", go=go)
    model = model_on(engine, monkeypatch)
    answer = model.respond(HELLO)
    assert await anext(answer) == "Hi"
    await answer.aclose()
    assert not engine.stopped.is_set()
    go.release()
    assert await asyncio.to_thread(engine.stopped.wait, 5)
    await model.aclose()


@pytest.mark.realtime
async def test_closing_the_model_ends_the_answers_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Semaphore(1)
    engine = Scripted("Hi", " there", go=go)
    model = model_on(engine, monkeypatch)
    async with aclosing(model.respond(HELLO)) as answer:
        assert await anext(answer) == "Hi"
        go.release()
        await model.aclose()
        assert [item async for item in answer] == []
    assert engine.stopped.is_set()


@pytest.mark.realtime
async def test_an_answer_that_waits_for_a_slot_is_closed_without_ever_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Semaphore(1)
    engine = Scripted("Hi", " there", go=go)
    model = model_on(engine, monkeypatch, engine=EngineOptions(slots=1))
    first = model.respond(HELLO)
    assert await anext(first) == "Hi"
    waiting = asyncio.ensure_future(anext(model.respond(HELLO)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go.release()
    assert [item async for item in first] == [" there"]
    await model.aclose()
    assert len(engine.asked) == 1


@pytest.mark.realtime
async def test_an_error_of_the_engine_is_raised_to_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Scripted):
        def answer(self, *_: Any) -> None:
            raise ModelError("out of memory")

    model = model_on(Broken(), monkeypatch)
    with pytest.raises(VoiceloopError, match="out of memory"):
        [item async for item in model.respond(HELLO)]
    await model.aclose()


async def test_a_prompt_that_turns_out_too_long_is_shortened_by_the_true_count(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Scripted("Hi")
    engine.refuse = 1
    model = model_on(engine, monkeypatch)
    roles = ("user", "assistant")
    messages = [HELLO[0], *(Message(roles[at % 2], "x" * 100) for at in range(41))]  # type: ignore[arg-type]
    assert [item async for item in model.respond(messages)] == ["Hi"]
    long, short = engine.asked
    assert len(long) == 42
    assert 1 < len(short) < 25
    assert short[0].text == messages[0].text


async def test_a_prompt_that_cannot_be_shortened_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Scripted()
    engine.refuse = 99
    model = model_on(engine, monkeypatch)
    with pytest.raises(PromptTooLong, match=r"takes 4000 tokens and a slot holds 2048.*raise `context`"):
        [item async for item in model.respond(HELLO)]
    assert len(engine.asked) == 1


async def test_the_first_instructions_are_read_into_every_slot_new_ones_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Scripted()
    model = model_on(engine, monkeypatch)
    await model.warm()
    assert engine.prepared == []
    beginnings = [[Message("system", text)] for text in ("Be kind.", "Be kind.", "Be brief.", "Be kind.")]
    await asyncio.gather(*(model.prepare(beginning) for beginning in [*beginnings, []]))
    assert engine.prepared == [("Be kind.", True), ("Be brief.", False)]


def test_building_loads_nothing_and_checks_its_options() -> None:
    LlamaCpp("/nowhere/model.gguf")
    with pytest.raises(ValueError, match="1 to 1024"):
        LlamaCppOptions(max_tokens=2000)
    with pytest.raises(ValueError, match="at least 1"):
        EngineOptions(slots=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the model .*No such file"),
        (b"MZ\x90\x00", r"not a GGUF file: it begins with b'MZ"),
        (b"", "b''"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        check_gguf(path)


# --- the real model -----------------------------------------------------------------------------------------


async def real(max_tokens: int, **engine: int) -> LlamaCpp:
    model = LlamaCpp(options=LlamaCppOptions(max_tokens=max_tokens, engine=EngineOptions(**engine)))
    try:
        await model.warm()
    except VoiceloopError as error:
        pytest.skip(str(error))
    return model


@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_model_answers_keeps_its_cache_and_can_be_stopped() -> None:
    model = await real(30, slots=2, context=512)
    instructions = "You are the receptionist of a small cafe. Answer in one short sentence."
    await model.prepare([Message("system", instructions)])
    messages = [Message("system", instructions), Message("user", "Hello, how are you?")]
    items = [item async for item in model.respond(messages)]
    text = "".join(item for item in items if isinstance(item, str))
    (usage,) = (item for item in items if isinstance(item, Usage))
    assert len(text.split()) >= 3
    assert "<|im_" not in text
    assert usage.cached_tokens >= 15
    assert 3 <= usage.output_tokens <= 30
    # The conversation goes on: nearly all of it is cached now.
    messages += [Message("assistant", text), Message("user", "Thanks.")]
    items = [item async for item in model.respond(messages)]
    again = next(item for item in items if isinstance(item, Usage))
    assert again.cached_tokens >= usage.input_tokens
    # Closed after the first token, a slot is free for the next answer at once.
    for _ in range(4):
        async with aclosing(model.respond(messages)) as answer:
            assert isinstance(await anext(answer), str)
    await model.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("voiceloop-llm")]


@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_model_drops_the_oldest_turns_of_a_long_conversation() -> None:
    model = await real(4, slots=1, context=256)
    roles = ("user", "assistant")
    messages = [Message("system", "Be kind.")]
    messages += [Message(roles[at % 2], "1 2 3 4 5 6 7 8 9 ") for at in range(61)]  # type: ignore[arg-type]
    items = [item async for item in model.respond(messages)]
    (usage,) = (item for item in items if isinstance(item, Usage))
    assert 60 < usage.input_tokens <= 256 - 4
    with pytest.raises(PromptTooLong):
        [item async for item in model.respond([Message("system", "word " * 900), Message("user", "Hi")])]
    await model.aclose()


@pytest.mark.long
@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_model_does_not_read_what_is_left_again_when_the_oldest_turns_are_dropped() -> None:
    model = await real(4, slots=1, context=1024)
    system, question = Message("system", "Be kind."), Message("user", "And now?")
    turns = [
        message
        for number in range(8)
        for message in (Message("user", f"What is the news of day {number}?"), Message("assistant", "Rain. " * 12))
    ]

    async def asked(messages: list[Message]) -> Usage:
        (usage,) = [item async for item in model.respond(messages) if isinstance(item, Usage)]
        return usage

    whole = await asked([system, *turns, question])
    left = await asked([system, *turns[6:], question])
    assert whole.cached_tokens < 10
    assert left.input_tokens < whole.input_tokens - 80
    assert left.cached_tokens > 0.8 * left.input_tokens
    await model.aclose()


@pytest.mark.models
@pytest.mark.realtime
async def test_a_file_that_only_begins_like_a_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(ModelError, match=r"cannot load .*broken\.gguf"):
        await LlamaCpp(path).warm()
