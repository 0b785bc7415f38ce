"""Scripted providers refuse what is no script and no time, where it is given."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from voiceloop.conversation import Message, ToolCall
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script

LEXICON = Lexicon()
ASK = [Message("user", "What is there?")]
TAKES = "script() takes texts, calls(…), exceptions, functions, and tuples of texts and calls, got "
LISTS = "ScriptedLLM takes a list of replies, or a function of the messages, got "
OF = "ScriptedLLM takes a list of texts, calls(…), exceptions, functions, and tuples of texts and calls, got "
SECONDS = "must be a number of seconds, 0 or more, got "


def model(**given: Any) -> ScriptedLLM:
    return ScriptedLLM(["Okay."], **given)


def ears(**given: Any) -> ScriptedSTT:
    return ScriptedSTT(LEXICON, **given)


def voice(**given: Any) -> ScriptedTTS:
    return ScriptedTTS(LEXICON, **given)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: script(1), TypeError, TAKES + "1"),  # type: ignore[arg-type]
        (lambda: script("yes", None), TypeError, TAKES + "None"),  # type: ignore[arg-type]
        (lambda: script(("yes", 1)), TypeError, TAKES + "('yes', 1)"),  # type: ignore[arg-type]
        (lambda: script({"yes": 1}), TypeError, TAKES + "{'yes': 1}"),  # type: ignore[arg-type]
        (lambda: script(), ValueError, "script() needs at least one reply"),
        (lambda: ScriptedLLM("yes"), TypeError, LISTS + "'yes'"),
        (lambda: ScriptedLLM(5), TypeError, LISTS + "5"),  # type: ignore[arg-type]
        (lambda: ScriptedLLM([]), ValueError, "ScriptedLLM needs at least one reply, got []"),
        (lambda: ScriptedLLM([1]), TypeError, OF + "1"),  # type: ignore[list-item]
    ],
)
def test_a_script_says_what_it_takes(make: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        make()


async def test_all_that_a_script_takes_is_answered() -> None:
    llm = script("Yes.", calls("price"), ("Well.", calls("price")), lambda messages: "No.", LookupError("no"))
    said = []
    for _ in range(4):
        said.append([each async for each in llm.respond(ASK) if isinstance(each, str | ToolCall)])
    call = ToolCall("call_1", "price", "{}")
    assert said == [["Yes."], [call], ["Well.", call], ["No."]]
    with pytest.raises(LookupError):
        await anext(llm.respond(ASK))


async def test_a_function_in_a_script_that_gives_no_reply_is_told() -> None:
    with pytest.raises(TypeError, match=r"^a function in the script of ScriptedLLM must give texts, .*, gave None$"):
        await anext(ScriptedLLM(lambda messages: None).respond(ASK))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("make", [model, ears, voice])
@pytest.mark.parametrize(
    ("given", "hint"), [("stall", "stall"), ("raise", "raise"), (True, "raise"), (Failing, "raise")]
)
def test_what_fails_is_a_failing(make: Callable[..., Any], given: Any, hint: str) -> None:
    name = type(make()).__name__
    with pytest.raises(TypeError, match=re.escape(f'{name}: failing= takes Failing("{hint}"), got {given!r}')):
        make(failing=given)


@pytest.mark.parametrize(
    ("make", "name", "what"),
    [
        (model, "first", SECONDS),
        (model, "rate", "must be a number of tokens a second, 0 or more, got "),
        (voice, "first", SECONDS),
        (voice, "speed", "must be a number of seconds of audio a second, 0 or more, got "),
        (voice, "chunk", SECONDS),
        (ears, "delay", SECONDS),
        (ears, "interims", SECONDS),
        (ears, "lag", SECONDS),
        (ears, "final", SECONDS),
    ],
)
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1"])
def test_times_are_numbers_of_0_or_more(make: Callable[..., Any], name: str, what: str, value: Any) -> None:
    kind = TypeError if value == "1" else ValueError
    with pytest.raises(kind, match=re.escape(f"{type(make()).__name__}: {name} {what}{value!r}")):
        make(**{name: value})


@pytest.mark.parametrize(("make", "name"), [(model, "first"), (model, "rate"), (voice, "speed"), (ears, "delay")])
def test_so_are_the_times_of_each_request(make: Callable[..., Any], name: str) -> None:
    with pytest.raises(ValueError, match=r"0 or more, got -2$"):
        make(**{name: [0.1, -2]})
    with pytest.raises(ValueError, match=rf"{name} must have a value for each request, got \[\]$"):
        make(**{name: []})


async def test_so_are_the_times_that_a_function_gives() -> None:
    async def words(*items: Any) -> AsyncIterator[Any]:
        for item in items:
            yield item

    for items in (
        model(first=lambda number: -1).respond(ASK),
        voice(first=lambda number: -1).generate(words("hello ")),
        ears(delay=lambda number: -1).transcribe(words(b"\xff", Flush())),
    ):
        with pytest.raises(ValueError, match=rf"{SECONDS}-1$"):
            await anext(items)


@pytest.mark.parametrize(
    ("pauses", "message"),
    [
        ({1: -1.0}, f"ScriptedLLM: pauses {SECONDS}-1.0"),
        ([{}, {1: "2"}], f"ScriptedLLM: pauses {SECONDS}'2'"),
        (2.0, "ScriptedLLM: pauses must be seconds by the number of a token, {3: 2.0}, got 2.0"),
    ],
)
def test_pauses_are_seconds_by_token(pauses: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}$"):
        model(pauses=pauses)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"how": "break"}, "Failing takes one of raise, stall, deaf, empty, got 'break'"),
        ({"how": "raise", "after": -1}, "Failing: after must be a number of items, 0 or more, got -1"),
        ({"how": "raise", "after": "1"}, "Failing: after must be a number of items, 0 or more, got '1'"),
        ({"how": "raise", "requests": 0}, "Failing: requests must be a set of numbers, such as {0}, got 0"),
    ],
)
def test_a_failing_says_what_it_takes(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}$"):
        Failing(**given)


async def test_a_request_that_fails_uses_up_its_text_and_the_last_text_comes_again() -> None:
    llm = script("one", "two", "three", failing=Failing("raise", requests={1}))
    said = []
    for _ in range(4):
        try:
            said.append([each async for each in llm.respond(ASK) if isinstance(each, str)])
        except ConnectionError:
            said.append([])
    assert said == [["one"], [], ["three"], ["three"]]
