"""A tea room that answers the phone, and the exchange that calls it: in one process, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from voiceloop import AudioStreamer, Call, CallReport, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.dialling import Dialler
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.serve import Serving, serving_phone
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.twilio import TOKEN, SimCall, TwilioOptions, TwilioSim
from voiceloop.store.database import Database
from voiceloop.store.keeper import CallKeeper
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.rest import TwilioREST

PUBLIC = "https://agent.example.com"
VOICE = f"{PUBLIC}/voice"
GREETING = "Tea room, hello."
SORRY = "Sorry, we were cut off."

Tools = Callable[[Call], Sequence[Any]]


@dataclass
class Room:
    """What the calls of a bot leave behind, and how its voice is understood."""

    lexicon: Lexicon = field(default_factory=Lexicon)
    calls: list[Call] = field(default_factory=list)
    reports: list[CallReport] = field(default_factory=list)

    def bot(
        self, llm: ScriptedLLM | None = None, *, greeting: str = GREETING, tools: Tools = lambda call: ()
    ) -> Callable[[Call], Pipeline]:
        """A bot that greets, and says to all callers together what the model gives."""
        stt, tts = ScriptedSTT(self.lexicon), ScriptedTTS(self.lexicon)
        model = llm or script("One tea.", "Five minutes.")

        def bot(call: Call) -> Pipeline:
            if call.id != "rehearsal":
                self.calls.append(call)
                call.on_end(self.reports.append)
            ears = [call.transport, EnergyVAD(), stt, TurnTaking(greeting)]
            return Pipeline([*ears, LLMAggregator(model, tools=tools(call)), tts, AudioStreamer()])

        return bot


@dataclass(kw_only=True)
class Shop(Room):
    """A bot on the phone, and the exchange that calls it."""

    sim: TwilioSim
    serving: Serving
    rest: TwilioREST
    keeper: CallKeeper | None = None
    """Where its calls are kept beyond their process."""
    database: Database | None = None

    @property
    def phone(self) -> Phone:
        return self.serving.phone

    @cached_property
    def dialler(self) -> Dialler:
        return Dialler(self.phone)

    @property
    def reasons(self) -> list[str]:
        """How the calls ended, one for each stream."""
        return [report.reason for report in self.reports]

    async def rings(self) -> SimCall:
        """A call that has its first stream."""
        return await self.sim.call(VOICE)

    async def line(self) -> SimCall:
        """The latest call, once there is one."""
        for _ in range(1000):
            if self.sim.calls:
                break
            await asyncio.sleep(0.01)
        return list(self.sim.calls.values())[-1]

    async def hears(self, line: SimCall, **options: float) -> str:
        """What the caller hears next."""
        return self.lexicon.text((await line.caller.hears(**options)).audio)

    def heard(self, line: SimCall) -> str:
        """All that was heard on the other end."""
        return self.lexicon.text(b"".join(bytes(stream.heard) for stream in line.streams))

    async def lost(self, line: SimCall) -> str:
        """The caller's end of the socket dies, the call comes back: what the caller hears next."""
        streams = len(line.streams)
        await line.streams[-1].cut()
        caller = await line.connected(streams=streams + 1)
        return self.lexicon.text((await caller.hears()).audio)

    def break_off(self, call: Call) -> None:
        """The server's end of a line dies: no close frame, what is unsent is lost."""
        socket: Any = call.transport
        socket._socket._req.transport.abort()


@asynccontextmanager
async def shop(
    sim_options: TwilioOptions | None = None,
    *,
    llm: ScriptedLLM | None = None,
    greeting: str = GREETING,
    tools: Tools = lambda call: (),
    folder: Path | None = None,
    **options: Any,
) -> AsyncIterator[Shop]:
    """Serve the bot until the block is done; then all hang up, and nothing of them may be left.

    Args:
        sim_options: how the exchange behaves.
        llm: answers all calls, one after the other: "One tea.", then "Five minutes.", when not given.
        greeting: what the bot says first.
        tools: that the model has in a call.
        folder: where calls are kept beyond their process; None keeps them in memory alone.
        options: of the phone.
    """
    room = Room()
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon), options=sim_options)
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(sim.listening())
        rest = await stack.enter_async_context(TwilioREST(sim.account_sid, TOKEN, base_url=base_url))
        keeper = database = None
        if folder is not None:
            database = Database(f"sqlite:///{folder}/calls.db")
            keeper = await stack.enter_async_context(CallKeeper(folder=folder / "spool", database=database))
        settings = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN, carrier=rest, **options)
        bot = room.bot(llm, greeting=greeting, tools=tools)
        serving = await stack.enter_async_context(serving_phone(bot, options=settings))
        serving.phone.keeper = keeper or serving.phone.keeper
        sim.tunnel(PUBLIC, serving.url)
        yield Shop(**vars(room), sim=sim, serving=serving, rest=rest, keeper=keeper, database=database)
        for line in sim.calls.values():
            await line.hangs_up()
            await line.ended()
        await asyncio.sleep(30)
        assert serving.phone.calls == {}
