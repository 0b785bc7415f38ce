"""Arguments that are none get an error that names them, where they are given, and leave nothing open."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.line_faults import Late
from voiceloop.sim.wire import Wire
from voiceloop.testing import ScriptedTTS

SECONDS = "a number of seconds, 0 or more, got"


@pytest.mark.parametrize("name", ["jitter", "delay_to_server", "delay_from_server", "buffer_seconds"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "0.1", None, True])
def test_a_carrier_takes_seconds_of_0_or_more(name: str, value: Any) -> None:
    kind = ValueError if isinstance(value, float) else TypeError
    with pytest.raises(kind, match=f"^CarrierOptions: {name} must be {SECONDS} {re.escape(repr(value))}$"):
        CarrierOptions(**{name: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"faults": [{}]}, "faults must be faults of the line, such as Late(at=3.0, length=0.5, by=0.3), got {}"),
        ({"faults": (Late,)}, "such as Late(at=3.0, length=0.5, by=0.3), got <class"),
        ({"faults": Late(0.1, 0.1, 0.1)}, "faults must be a tuple of faults of the line, got Late(at=0.1"),
        ({"faults": None}, "faults must be a tuple of faults of the line, got None"),
        ({"seed": "1"}, "seed must be a whole number, got '1'"),
        ({"first_timestamp": 0.5}, "first_timestamp must be a whole number, got 0.5"),
        ({"is_answer_end": "end:"}, "is_answer_end must be a function of a name, got 'end:'"),
    ],
)
def test_a_carrier_says_what_its_other_options_are(given: dict[str, Any], message: str) -> None:
    with pytest.raises(
        TypeError, match="^CarrierOptions: " + re.escape(message) if "must" in message else re.escape(message)
    ):
        CarrierOptions(**given)


def test_what_a_carrier_can_do_is_taken() -> None:
    CarrierOptions(jitter=0, buffer_seconds=0.0, first_timestamp=-40, faults=(Late(0.1, 0.1, 0.1),))


# --- the caller -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving() -> AsyncIterator[Callable[..., Carrier]]:
    """A server that listens, and carriers to it."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/media", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    try:
        yield lambda **given: Carrier("ws://agent/media", connector=aiohttp.UnixConnector(path="agent"), **given)
    finally:
        await runner.cleanup()


TEXT_OR_AUDIO = "a text, mu-law bytes or a Path, got"
ABOUT: list[tuple[Callable[[Caller], Awaitable[Any]], type[Exception], str]] = [
    (lambda c: c.says(5), TypeError, f"says takes {TEXT_OR_AUDIO} 5"),  # type: ignore[arg-type]
    (lambda c: c.begins(None), TypeError, f"begins takes {TEXT_OR_AUDIO} None"),  # type: ignore[arg-type]
    (lambda c: c.plays(5), TypeError, f"plays takes {TEXT_OR_AUDIO} 5"),  # type: ignore[arg-type]
    (lambda c: c.interrupts(5, after=1), TypeError, f"interrupts takes {TEXT_OR_AUDIO} 5"),  # type: ignore[arg-type]
    (lambda c: c.hangs_up(while_saying=5), TypeError, f"hangs_up takes {TEXT_OR_AUDIO} 5"),  # type: ignore[arg-type]
    (lambda c: c.keeps_talking(5, 1), TypeError, f"keeps_talking takes {TEXT_OR_AUDIO} 5"),  # type: ignore[arg-type]
    (lambda c: c.says(""), ValueError, "says takes a text with a word in it, mu-law bytes or a Path, got ''"),
    (lambda c: c.says(" "), ValueError, "says takes a text with a word in it, mu-law bytes or a Path, got ' '"),
    (lambda c: c.says("order.wav"), ValueError, 'says: a recording is given as Path("order.wav"); got the text'),
    (lambda c: c.says("a/B.WAV"), ValueError, 'says: a recording is given as Path("a/B.WAV"); got the text'),
    (lambda c: c.says("x.mp3"), ValueError, 'says: a recording is given as Path("x.mp3"), and WAV files only; got'),
    (lambda c: c.says("hello", until=-1), ValueError, f"says takes until= {SECONDS} -1"),
    (lambda c: c.waits(-2), ValueError, f"waits takes {SECONDS} -2"),
    (lambda c: c.waits("2"), TypeError, f"waits takes {SECONDS} '2'"),  # type: ignore[arg-type]
    (lambda c: c.waits(float("nan")), ValueError, f"waits takes {SECONDS} nan"),
    (lambda c: c.keeps_talking("hello", -1), ValueError, f"keeps_talking takes {SECONDS} -1"),
    (lambda c: c.interrupts("hello", after=-1), ValueError, f"interrupts takes after= {SECONDS} -1"),
    (lambda c: c.hangs_up(while_saying="hello", after=-1), ValueError, f"hangs_up takes after= {SECONDS} -1"),
    (lambda c: c.presses(1), TypeError, 'presses takes keys as a text, such as "1#", got 1'),  # type: ignore[arg-type]
    (lambda c: c.presses("12", interval=-1), ValueError, f"presses takes interval= {SECONDS} -1"),
]


@pytest.mark.parametrize(("does", "kind", "message"), ABOUT, ids=[message[:40] for _, _, message in ABOUT])
async def test_a_caller_says_what_it_takes_and_has_done_nothing(
    does: Callable[[Caller], Awaitable[Any]], kind: type[Exception], message: str
) -> None:
    async with serving() as carrier, carrier() as line:
        caller = Caller(line, ScriptedTTS(Lexicon()))
        with pytest.raises(kind, match="^" + re.escape(message)):
            await does(caller)
        assert (caller.utterances, line.ended) == ([], False)
        assert not bytes(line.said).strip(b"\xff")


async def test_a_text_that_only_speaks_of_a_recording_is_spoken() -> None:
    async with serving() as carrier, carrier() as line:
        caller = Caller(line, ScriptedTTS(Lexicon()))
        assert not (await caller.says("Play order.wav")).cut


# --- a call that does not come about --------------------------------------------------------------------------------


@pytest.mark.parametrize("mangled", ["start", "put", "tick"])
async def test_a_carrier_that_cannot_begin_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch, mangled: str) -> None:
    def fails(*_: object) -> None:
        raise LookupError("no stream")

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving() as carrier:
        line = carrier()
        monkeypatch.setattr(
            {"start": line._clock, "put": line._to_server, "tick": line._clock}[mangled], mangled, fails
        )
        with pytest.raises(LookupError, match="no stream"):
            async with line:
                pytest.fail("there is no call")
        assert [task.get_name() for task in asyncio.all_tasks() if "carrier" in task.get_name()] == []
        assert line._wire._http.closed
        assert line.end == ("" if mangled == "start" else "cut")
        await line.hang_up()
    assert complaints == []


async def test_parameters_that_are_no_json_are_told_and_leave_nothing_open() -> None:
    async with serving() as carrier:
        line = carrier(parameters={"tenant": object()})
        with pytest.raises(TypeError, match="not JSON serializable"):
            await line.connect()
        assert [task.get_name() for task in asyncio.all_tasks() if "carrier" in task.get_name()] == []
        assert line._wire._http.closed


async def test_no_failure_of_a_wire_goes_unseen() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def breaks(_: object) -> None:
        raise LookupError("on closed")

    async def fail_both_ways() -> Wire:
        wire = Wire("ws://agent/media", print, breaks, connector=aiohttp.UnixConnector(path="agent"))
        await wire.open()
        wire.send(5)  # type: ignore[arg-type]  # what sends fails
        await asyncio.sleep(0.1)
        wire.cut()  # and then what reads
        with pytest.raises(TypeError):
            await wire.wait_closed()
        assert wire._http.closed
        return wire

    async with serving():
        failed = [task.exception() for task in (await fail_both_ways())._tasks]
        assert [type(error) for error in failed] == [TypeError, LookupError]
        del failed
        await fail_both_ways()  # nobody has asked for its errors but `wait_closed`
        gc.collect()
    assert complaints == []


@pytest.mark.parametrize("path", ["agent", "nobody"])
async def test_a_server_that_does_not_take_the_call_leaves_nothing_open(path: str) -> None:
    async with serving():
        line = Carrier(f"ws://{path}/nowhere", connector=aiohttp.UnixConnector(path=path))
        with pytest.raises(aiohttp.ClientError):
            await line.connect()
        assert line._wire._http.closed
        await line.hang_up()  # nothing to hang up, and no error
        assert line.end == ""
