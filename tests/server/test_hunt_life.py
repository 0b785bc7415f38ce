"""Lines that are lost at a bad moment: while a tool runs, somebody is to take over, a server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, CallReport, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.conversation import Message
from voiceloop.llm.anthropic_request import AnthropicOptions
from voiceloop.llm.anthropic_request import request as to_anthropic
from voiceloop.llm.base import ToolSpec
from voiceloop.llm.openai_tools import message_bodies
from voiceloop.replay import replay
from voiceloop.server.dialling import Dialler, DialOptions
from voiceloop.server.outgoing import encode_out
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.returns import Returns
from voiceloop.server.serve import serving_phone
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.twilio import NUMBER, TOKEN, SimCall, TwilioSim
from voiceloop.sim.twilio import Phone as Telephone
from voiceloop.sim.twilio_machine import Machine
from voiceloop.store.database import Database
from voiceloop.store.keeper import CallKeeper
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.testing import calls as asks
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.invariants import require_invariants
from voiceloop.testing.witness import Witness
from voiceloop.turns.events import TurnOptions
from voiceloop.twilio.rest import TwilioREST

PUBLIC = "https://agent.example.com"
VOICE = f"{PUBLIC}/voice"
GREETING = "Tea room, hello. What can I do for you?"
SORRY = "Sorry, we were cut off."
COLLEAGUE = "+15550009999"
THEM = "+15550003333"

Tools = Callable[[Call], Sequence[Any]]


@dataclass
class Room:
    """A bot on the phone, and the exchange that calls it."""

    sim: TwilioSim
    phone: Phone
    lexicon: Lexicon
    calls: list[Call] = field(default_factory=list)
    reports: list[CallReport] = field(default_factory=list)

    async def rings(self) -> SimCall:
        """A call that was greeted."""
        line = await self.sim.call(VOICE)
        assert await self.hears(line) == GREETING
        return line

    async def hears(self, line: SimCall) -> str:
        """What the caller hears next."""
        return self.lexicon.text((await line.caller.hears()).audio)

    async def lost(self, line: SimCall) -> str:
        """The socket dies, the call comes back: what the caller hears next."""
        streams = len(line.streams)
        await line.streams[-1].cut()
        caller = await line.connected(streams=streams + 1)
        return self.lexicon.text((await caller.hears()).audio)

    @property
    def reasons(self) -> list[str]:
        return [report.reason for report in self.reports]


@asynccontextmanager
async def opened(folder: Path | None, llm: ScriptedLLM | None, tools: Tools, options: Any) -> AsyncIterator[Room]:
    lexicon, turns = Lexicon(), options.pop("turns", None)
    model = llm or script("One tea. Anything else?", "Five minutes.", "Four euros.")
    sim = TwilioSim(voice=ScriptedTTS(lexicon))
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(sim.listening())
        rest = await stack.enter_async_context(TwilioREST(sim.account_sid, TOKEN, base_url=base_url))
        calls: list[Call] = []
        reports: list[CallReport] = []

        def bot(call: Call) -> Pipeline:
            if call.id != "rehearsal":
                calls.append(call)
                call.on_end(reports.append)
            ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING, turns)]
            mind = LLMAggregator(model, tools=tools(call))
            return Pipeline([*ears, mind, ScriptedTTS(lexicon), AudioStreamer()])

        settings = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, carrier=rest, **options)
        if folder is not None:
            database = Database(f"sqlite:///{folder}/calls.db")
            keeper = await stack.enter_async_context(CallKeeper(folder=folder / "spool", database=database))
        serving = await stack.enter_async_context(serving_phone(bot, options=settings))
        if folder is not None:
            serving.phone.keeper = keeper
        sim.tunnel(PUBLIC, serving.url)
        yield Room(sim, serving.phone, lexicon, calls, reports)
        for line in sim.calls.values():
            await line.hangs_up()
            await line.ended()


Opens = Callable[..., Any]


@pytest.fixture(params=["in memory", "kept"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Opens:
    """``room(llm, tools=…, **options of the phone)``: without and with what keeps calls beyond their process."""
    folder = tmp_path if request.param == "kept" else None

    def opens(llm: ScriptedLLM | None = None, tools: Tools = lambda call: (), **options: Any) -> Any:
        return opened(folder, llm, tools, options)

    return opens


def said(call: Call) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in call.conversation if message.text]


# --- tools ------------------------------------------------------------------------------------------------------


async def test_a_tool_that_ran_when_the_line_was_lost_is_not_run_again_and_the_model_is_told(room: Opens) -> None:
    booked: list[str] = []

    async def book(what: str) -> str:
        """Book something."""
        booked.append(what)
        await asyncio.sleep(3)
        return f"booked: {what}"

    llm = ScriptedLLM([asks("book", what="tea"), "I do not know whether it is booked."])
    async with room(llm, lambda call: [book]) as here:
        line = await here.rings()
        await line.caller.says("book a tea")
        while not booked:
            await line.caller.waits(0.1)
        assert await here.lost(line) == f"{SORRY} I do not know whether it is booked."
    assert booked == ["tea"]
    result = llm.requests[-1][-1].results[0]
    assert (result.text, result.error) == ("It was cut off with the line: whether it was done is not known.", True)


async def test_a_transfer_that_was_promised_when_the_line_was_lost_is_made_when_the_call_is_back(room: Opens) -> None:
    announce = "I put you through now, please hold the line a moment."
    ask = asks("transfer", to=COLLEAGUE, announce=announce)
    llm = ScriptedLLM([ask, "Goodbye.", ask, "Goodbye."])
    async with room(llm, lambda call: [call.transfer]) as here:
        here.sim.phones[COLLEAGUE] = Telephone(rings=1.0, talks=5.0)
        line = await here.rings()
        await line.caller.says("a person please")
        await line.caller.waits(2.0)
        assert here.calls[0].ending == "transferred"
        assert (await here.lost(line)).startswith(SORRY)
        await line.ended()
        assert line.did[-1] == ("dial", COLLEAGUE)
        assert here.reasons == ["disconnected", "transferred"]
    asked = llm.requests[2]
    assert asked[-1].results[0].text.startswith("The line was lost before the caller was connected")
    assert asked[-1].results[0].error
    assert asked[-2].calls[0].name == "transfer"


async def test_a_transfer_that_is_asked_for_when_the_line_is_lost_ends_the_call_only_if_it_is_made(room: Opens) -> None:
    ask = asks("transfer", to=COLLEAGUE)
    llm = ScriptedLLM([ask, "Goodbye.", ask, "Goodbye."])
    async with room(llm, lambda call: [call.transfer]) as here:
        here.sim.phones[COLLEAGUE] = Telephone(rings=1.0, talks=5.0)
        line = await here.rings()
        here.sim.troubles.append("stall")
        await line.caller.says("a person please")
        assert await here.hears(line) == "Goodbye."
        await line.caller.waits(1.0)
        await here.lost(line)
        await line.ended()
        assert line.did[-1] == ("dial", COLLEAGUE)
        assert here.reasons == ["disconnected", "transferred"]


# --- last words -------------------------------------------------------------------------------------------------


async def test_a_line_that_is_lost_during_the_goodbye_ends_the_call(room: Opens) -> None:
    async with room() as here:
        line = await here.rings()
        here.calls[0].say("Goodbye, and thank you for calling the tea room today.")
        here.calls[0].hang_up()
        await line.caller.waits(1.0)
        assert await here.phone.keeper.fate(line.sid) == "ended"  # Twilio may ask before the server has noticed
        await line.streams[-1].cut()
        await line.ended()
        assert line.did[-1] == ("hang up", "")
        assert here.reasons == ["completed"]


async def test_a_message_for_a_machine_that_a_lost_line_cuts_off_is_left_on_the_next(room: Opens) -> None:
    message = "This is the tea room. Please call us back about your order."
    async with room() as here:
        here.sim.phones[THEM] = Telephone(rings=1.0, machine=Machine())
        options = DialOptions(machine="message", message=message)
        dialling = asyncio.ensure_future(Dialler(here.phone).dial(THEM, from_=NUMBER, options=options))
        await asyncio.sleep(1.0)
        line = next(iter(here.sim.calls.values()))
        await line.connected()
        await line.streams[0].when(lambda: "This is the" in here.lexicon.text(line.message))
        await line.streams[-1].cut()
        outcome = await dialling
        assert here.lexicon.text(bytes(line.streams[1].heard)) == message
        assert here.reasons == ["disconnected", "message left"]
    assert outcome.message_left


# --- a server that stops ----------------------------------------------------------------------------------------


async def test_a_call_that_loses_its_line_while_the_server_drains_comes_back(room: Opens) -> None:
    async with room() as here:
        line = await here.rings()
        draining = asyncio.ensure_future(here.phone.drain(60))
        await line.caller.waits(4.0)
        socket: Any = here.calls[0].transport
        socket._socket._req.transport.abort()  # the server knows of it before Twilio does
        await line.connected(streams=2)
        assert await here.hears(line) == f"{SORRY} What can I do for you?"
        await line.caller.says("a tea please")
        assert await here.hears(line) == "One tea. Anything else?"
        assert not draining.done()
        await line.hangs_up()
        await draining
        assert here.phone.counts["voice.busy"] == 0


async def test_a_server_that_drains_does_not_wait_for_a_call_that_does_not_come_back(room: Opens) -> None:
    async with room() as here:
        line = await here.rings()
        here.sim.tunnel(PUBLIC, "http://127.0.0.1:9")  # nobody listens there
        await line.streams[-1].cut()
        began = asyncio.get_running_loop().time()
        await here.phone.drain(60)
        assert asyncio.get_running_loop().time() - began < 5.0


# --- what is kept -----------------------------------------------------------------------------------------------


async def test_answers_and_turns_are_numbered_through_all_lines_of_a_call(room: Opens) -> None:
    async with room() as here:
        line = await here.rings()
        await line.caller.says("a tea please")
        await here.hears(line)
        await here.lost(line)
        await line.caller.says("how long")
        assert await here.hears(line) == "Five minutes."
        await here.lost(line)
        await line.caller.says("how much")
        assert await here.hears(line) == "Four euros."
        await line.hangs_up()
        await line.ended()
        turns = here.reports[-1].turns
        assert [(turn.number, turn.caller) for turn in turns] == [
            (1, "a tea please"),
            (2, "how long"),
            (3, "how much"),
        ]
        assert len({turn.answer for turn in turns}) == 3


async def test_the_longest_that_a_call_may_take_counts_through_all_its_lines(room: Opens) -> None:
    async with room(turns=TurnOptions(max_length=30.0)) as here:
        line = await here.rings()
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            await line.caller.waits(4.0)
            await here.lost(line)
        await line.ended()
        assert here.reasons[-1] == "max length"
        assert asyncio.get_running_loop().time() - began < 35.0


async def test_counts_of_a_line_that_was_lost_are_in_the_report_of_the_call(room: Opens) -> None:
    counts = {"watchdog.no_mark": 2, "speculation.kept": 3}
    async with room() as here:
        line = await here.rings()
        here.calls[0].usage.update(counts)
        here.calls[0]._record.served["llm"] = here.calls[0].usage.__class__({"AnyLLM": 2})
        await here.lost(line)
        await line.hangs_up()
        await line.ended()
        report = here.reports[-1]
        assert report.watchdogs["no_mark"] == 2
        assert report.speculation.kept == 3
        assert report.served["llm"] == {"AnyLLM": 2}


async def test_the_report_of_a_line_that_comes_late_does_not_bring_an_ended_call_back() -> None:
    async with opened(None, None, lambda call: (), {}) as here:
        keeper = here.phone.keeper
        assert isinstance(keeper, Returns)
        line = await here.rings()
        old, over = keeper._live[line.sid]
        await here.lost(line)
        here.calls[1].hang_up()
        await line.ended()
        late = CallReport(line.sid, "replaced", 1.0, here.calls[0].conversation)
        keeper._report(old, over, None, late)
        assert await keeper.fate(line.sid) == "ended"


async def test_parameters_in_an_url_do_not_take_the_place_of_the_servers_own() -> None:
    async with opened(None, None, lambda call: (), {}) as here:
        out = encode_out({"token": "x", "caller": "+15550001234", "order": '"/><Hangup/>'})
        line = await here.sim.call(f"{VOICE}?out={out}")
        assert await here.hears(line) == GREETING
        call = here.calls[0]
        assert (call.caller, call.params) == ("+15550002222", {"order": '"/><Hangup/>'})


@pytest.mark.parametrize("when", [0.0, 0.5, 1.2, 2.5])
async def test_what_holds_of_every_call_holds_of_each_line_of_one(room: Opens, when: float) -> None:
    witnesses: list[Witness] = []

    def watched(call: Call) -> None:
        witnesses.append(Witness())
        call.observe(witnesses[-1])

    said = "We have green tea, black tea and mint tea. A cup is four dollars. Which one would you like?"
    async with room(ScriptedLLM([said, "Mint tea it is.", "Fine."], first=0.7), on_call=watched) as here:
        line = await here.rings()
        await line.caller.says("what do you have")
        await line.caller.waits(when)
        await here.lost(line)
        await line.caller.says("mint tea")
        await here.hears(line)
        await line.hangs_up()
        await line.ended()
        for witness, report, carrier in zip(witnesses, here.reports, line.streams, strict=True):
            require_invariants(Evidence.of(witness, carrier=carrier, report=report, lexicon=here.lexicon))


# --- what models are asked ----------------------------------------------------------------------------------------


async def test_what_models_are_asked_after_a_lost_line_is_what_their_services_take(room: Opens) -> None:
    announce = "I put you through now, please hold the line a moment."
    llm = ScriptedLLM([asks("transfer", to=COLLEAGUE, announce=announce), "Goodbye.", "Shall I try again?", "Fine."])
    async with room(llm, lambda call: [call.transfer]) as here:
        line = await here.rings()
        await line.caller.says("a person please")
        await line.caller.waits(2.0)
        await here.lost(line)
        await line.caller.says("never mind")
        assert await here.hears(line) == "Fine."
    for request in llm.requests:
        assert_taken(request)


def assert_taken(request: Sequence[Message]) -> None:
    """The services' own rules: roles take turns, each call has its result right behind it, the agent is not last."""
    spec = ToolSpec("transfer", "", {"type": "object"})
    body = to_anthropic(AnthropicOptions(), "model", list(request), [spec])["messages"]
    roles = [message["role"] for message in body]
    assert roles == ["user" if place % 2 == 0 else "assistant" for place in range(len(roles))]
    assert roles[-1] == "user"
    bodies = message_bodies(request)
    assert bodies[-1]["role"] in ("user", "tool")
    for before, after in pairwise(bodies):
        if before.get("tool_calls"):
            assert after["tool_call_id"] == before["tool_calls"][0]["id"]


# --- recordings -------------------------------------------------------------------------------------------------


def test_a_line_of_a_call_that_came_back_can_be_replayed(tmp_path: Path) -> None:
    lexicon = Lexicon()

    def bot(call: Call) -> Pipeline:
        ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING)]
        return Pipeline([*ears, LLMAggregator(script("One tea.")), ScriptedTTS(lexicon), AudioStreamer()])

    async def comes_back() -> None:
        sim = TwilioSim(voice=ScriptedTTS(lexicon))
        options = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)
        async with (
            sim.listening(),
            Runtime(record=tmp_path) as runtime,
            serving_phone(bot, options=options, runtime=runtime) as serving,
        ):
            sim.tunnel(PUBLIC, serving.url)
            line = await sim.call(VOICE)
            await line.caller.hears()
            await line.caller.says("a tea please")
            await line.caller.hears()
            await line.streams[0].cut()
            await line.connected(streams=2)
            await line.caller.hears()
            await line.caller.says("thank you")
            await line.caller.hears()
            await line.hangs_up()
            await line.ended()

    run_virtual(comes_back())
    flights = sorted(tmp_path.glob("*.vlog"))
    assert len(flights) == 2
    for flight in flights:
        assert str(replay(flight, bot)).startswith("equal")
