"""Whole calls in which both the model and the voice are Pipecat's services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.openai.llm import OpenAILLMService

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Phrases, Pipeline, Runtime, TurnTaking
from voiceloop.bridges.pipecat import PipecatLLM, PipecatProcessor, PipecatTTS
from voiceloop.conversation import Message
from voiceloop.llm.base import LLM
from voiceloop.llm.history import as_remembered
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.sim.openai import OpenAISim, Reply
from voiceloop.testing import Dialled, ScriptedSTT
from voiceloop.tts.base import TTS

SAY = Phrases()
GREETING = "Corner Coffee, hi!"
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."


class Shop:
    """A bot with Pipecat's OpenAI and Cartesia services; they are shared by calls, or of each call alone."""

    def __init__(self, dial: Callable[..., Any], serving: Callable[..., Any], kind: str) -> None:
        self.dial = dial
        self.serving = serving
        self.kind = kind
        self.lexicon = Lexicon()
        self.urls = {"llm": "", "tts": ""}
        self.tools: list[Any] = []

    def model(self) -> OpenAILLMService:
        settings = OpenAILLMService.Settings(model="sim")
        return OpenAILLMService(api_key="k", base_url=self.urls["llm"], settings=settings)

    def voice(self) -> CartesiaTTSService:
        settings = CartesiaTTSService.Settings(voice="any")
        return CartesiaTTSService(api_key="k", url=self.urls["tts"], settings=settings)

    def bot(self, call: Call) -> Pipeline:
        hearing = [call.transport, EnergyVAD(), ScriptedSTT(self.lexicon), TurnTaking(greeting=GREETING)]
        if self.kind == "shared":
            model = LLMAggregator(PipecatLLM(self.model), tools=self.tools)  # dial has its own of these
            stages = [model, PipecatTTS(self.voice)]
        else:
            for base in (LLM, TTS):
                del call.runtime.substitutes[base]  # or dial would put its own in the place of them
            stages = [PipecatProcessor(self.model(), tools=self.tools), PipecatProcessor(self.voice())]
        return Pipeline([*hearing, *stages, AudioStreamer()])

    @asynccontextmanager
    async def open(self, llm: OpenAISim, tts: CartesiaSim, *, silence: float = 0.8) -> AsyncIterator[Dialled]:
        async with self.serving(llm.app) as model, tts.listening() as voice:
            self.urls = {"llm": f"http://{model}/v1", "tts": f"{voice.replace('http', 'ws')}/tts/websocket"}
            providers = {"llm": PipecatLLM(self.model), "tts": PipecatTTS(self.voice)}
            async with self.dial(self.bot, lexicon=self.lexicon, silence=silence, **providers) as caller:
                yield caller


@pytest.fixture(params=["shared", "of the call"])
def shop(dial: Callable[..., Any], serving: Callable[..., Any], request: pytest.FixtureRequest) -> Shop:
    return Shop(dial, serving, request.param)


async def test_two_turns_with_memory_and_every_word_heard(shop: Shop) -> None:
    llm = OpenAISim(["One large mocha. Anything else?", "Five minutes."], first=0.3, rate=30)
    async with shop.open(llm, CartesiaSim(shop.lexicon)) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("A large mocha please")
        await caller.hears("One large mocha. Anything else?")
        await caller.says("How long will it take")
        await caller.hears("Five minutes.")
        report = await caller.hangs_up()
    assert report.faults == []
    assert [turn.heard for turn in report.turns] == ["One large mocha. Anything else?", "Five minutes."]
    assert [message.text for message in llm.requests[1].messages][-4:] == [
        GREETING,
        "A large mocha please",
        "One large mocha. Anything else?",
        "How long will it take",
    ]
    assert caller.carrier.truth.holes() == []


async def test_what_is_said_before_a_slow_tool_is_heard_at_once_and_its_result_follows(shop: Shop) -> None:
    async def price(drink: str) -> str:
        """Says what a drink costs."""
        await asyncio.sleep(2.5)
        return f"{drink}: four dollars"

    shop.tools = [price]
    asks = Reply("Let me look.", tools=[("price", {"drink": "latte"})])
    llm = OpenAISim([asks, "It is four dollars."], first=0.3, rate=30)
    async with shop.open(llm, CartesiaSim(shop.lexicon)) as caller:
        await caller.hears("Corner Coffee")
        said = await caller.says("What is a latte")
        first = await caller.hears("Let me look.")
        await caller.hears("It is four dollars.")
        report = await caller.hangs_up()
    assert first.started - said.speech_ended < 2.5
    assert report.turns[0].heard == "Let me look. It is four dollars."
    assert llm.requests[1].messages[-1].results[0].text == "latte: four dollars"
    assert report.faults == []


async def test_a_barge_in_stops_both_and_the_model_is_told_the_words_that_were_heard(shop: Shop) -> None:
    llm, tts = OpenAISim([Reply(MENU, rate=20), "Sure, a mocha."]), CartesiaSim(shop.lexicon)
    async with shop.open(llm, tts) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("What do you have")
        cut = await caller.interrupts("A mocha please", after=2.0)
        await caller.hears("Sure, a mocha.")
        report = await caller.hangs_up()
        truth = caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped)
    first = report.turns[0]
    assert cut.agent_stopped - cut.speech.speech_started < 0.3
    assert first.interrupted
    assert first.heard == shop.lexicon.text(truth)
    assert f"{first.heard} {first.unheard}" == MENU
    assert llm.requests[1].messages[-2].text == cut_off(first.heard)
    assert report.faults == []


def cut_off(heard: str) -> str:
    """What a model is given of an answer that was cut."""
    return as_remembered(Message("assistant", heard, "more", interrupted=True))


async def test_what_was_heard_is_exact_in_nearly_every_cut_and_never_ahead(
    dial: Callable[..., Any], serving: Callable[..., Any]
) -> None:
    exact = 0
    for number in range(20):
        shop = Shop(dial, serving, "shared")
        llm, tts = OpenAISim([MENU, "Sure."]), CartesiaSim(shop.lexicon)
        async with shop.open(llm, tts) as caller:
            await caller.hears("Corner Coffee")
            await caller.says("What do you have")
            cut = await caller.interrupts("stop", after=0.4 + number * 0.171)
            truth = shop.lexicon.text(caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped))
            await caller.hears("Sure.")
            report = await caller.hangs_up()
        heard = report.turns[0].heard
        assert truth.startswith(heard)
        assert [message.text for message in llm.requests[1].messages if message.text][-2:-1] in (
            [cut_off(heard)],
            [GREETING],
            [],
        )
        exact += heard == truth
    assert exact >= 18


async def test_a_voice_that_breaks_in_the_middle_is_excused_and_the_call_goes_on(shop: Shop) -> None:
    llm = OpenAISim([MENU, "Now whole."])
    tts = CartesiaSim(shop.lexicon)
    async with shop.open(llm, tts, silence=6.0) as caller:
        await caller.hears("Corner Coffee")
        number = len(tts.contexts)
        tts.options = CartesiaSimOptions(troubles={number: Trouble(after=12, status=500)})
        await caller.says("What do you have")
        reply = await caller.hears(SAY.apology)
        await caller.says("Again please")
        await caller.hears("Now whole.")
        report = await caller.hangs_up()
    heard = reply.text.removesuffix(SAY.apology).strip()
    assert heard
    assert MENU.startswith(heard)
    assert report.turns[0].heard == heard
    assert "CartesiaTTSService: " in report.faults[0].message


async def test_a_voice_that_falls_silent_is_excused(shop: Shop) -> None:
    llm, tts = OpenAISim([MENU, "Now whole."]), CartesiaSim(shop.lexicon)
    async with shop.open(llm, tts, silence=6.0) as caller:
        await caller.hears("Corner Coffee")
        number = len(tts.contexts)
        tts.options = CartesiaSimOptions(troubles={number: Trouble(after=12, stall=True)})
        await caller.says("What do you have")
        await caller.hears(SAY.apology)
        await caller.says("Again please")
        await caller.hears("Now whole.")
        report = await caller.hangs_up()
    assert report.turns[0].unheard
    assert report.reason == "caller hung up"


async def test_a_hang_up_in_the_middle_of_a_word_leaves_no_socket_and_no_task(shop: Shop) -> None:
    llm, tts = OpenAISim([Reply("on and on and on", repeat=50)], rate=20), CartesiaSim(shop.lexicon)
    async with shop.open(llm, tts) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("What do you have")
        await caller.waits(3.0)
        report = await caller.hangs_up()
        if shop.kind != "shared":
            assert [socket.closed_at is not None for socket in tts.sockets] == [True]
    assert llm.requests[0].left_at is not None
    assert report.faults == []
    assert all(socket.closed_at is not None for socket in tts.sockets)


@pytest.mark.parametrize("shop", ["of the call"], indirect=True)
@pytest.mark.parametrize("hangs_up", [True, False])
async def test_a_service_that_never_gets_ready_is_given_up_and_leaves_nothing(shop: Shop, hangs_up: bool) -> None:
    def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    shop.urls = {"llm": "http://127.0.0.1:1/v1", "tts": f"ws://127.0.0.1:{port}/tts/websocket"}
    async with shop.dial(shop.bot) as caller:
        if hangs_up:
            await caller.waits(1.0)
            report = await caller.hangs_up()
        else:
            report = await caller.report()
    for writer in connections:
        writer.close()
    server.close()
    await server.wait_closed()
    assert report.reason == ("caller hung up" if hangs_up else "failed")
    messages = [fault.message for fault in report.faults]
    assert messages == [] if hangs_up else "CartesiaTTSService was not ready within 8 s" in messages[0]


async def test_a_greeting_is_rendered_once_for_calls_that_share_a_voice(
    dial: Callable[..., Any], serving: Callable[..., Any]
) -> None:
    shop = Shop(dial, serving, "shared")
    tts = CartesiaSim(shop.lexicon)
    async with tts.listening() as url:
        shop.urls["tts"] = f"{url.replace('http', 'ws')}/tts/websocket"
        voice = PipecatTTS(shop.voice)
        async with Runtime() as runtime:
            for _ in range(2):
                async with dial(shop.bot, tts=voice, runtime=runtime, lexicon=shop.lexicon) as caller:
                    await caller.waits(3.0)
                    await caller.hangs_up()
    assert tts.transcripts.count(GREETING) == 1


@pytest.mark.realtime
@pytest.mark.parametrize("shop", ["of the call"], indirect=True)
async def test_the_same_in_real_time(shop: Shop) -> None:
    llm = OpenAISim(["One large mocha.", MENU], first=0.1, rate=30)
    async with shop.open(llm, CartesiaSim(shop.lexicon)) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("A large mocha please")
        await caller.hears("One large mocha.")
        await caller.says("And what else")
        await caller.waits(1.5)
        report = await caller.hangs_up()
    assert report.turns[0].heard == "One large mocha."
    assert report.faults == []


def test_what_is_no_service_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"takes a Pipecat LLMService or TTSService, got a str\.$"):
        PipecatProcessor("gpt")
    with pytest.raises(TypeError, match=r"Did you mean CartesiaTTSService\(…\)\?$"):
        PipecatProcessor(CartesiaTTSService)
