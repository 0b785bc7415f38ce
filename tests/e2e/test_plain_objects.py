"""The loop by hand on live calls: Twilio, Google, Claude and Cartesia as plain objects, on simulators of all four."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, Pipeline, Processor, TurnTaking
from voiceloop.conversation import Message
from voiceloop.frames import UserTurn
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.report import CallReport
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.anthropic import Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.services import Services, simulated_services
from voiceloop.sim.twilio import SimCall
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing.scripted import ScriptedTTS
from voiceloop.tts.cartesia import CartesiaTTS
from voiceloop.twilio.connections import ConnectionManager, NoSuchCall

LONG = "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, and tea at noon."
Turn = Callable[["Desk", str, UserTurn], Any]


@dataclass
class Desk:
    """A bot without a model and without a voice in its pipeline: its replies are spoken by the loop below."""

    services: Services
    manager: ConnectionManager
    llm: AnthropicLLM
    lexicon: Lexicon
    url: str = ""
    queued: list[int] = field(default_factory=list)
    """Payloads of each reply."""
    reports: list[CallReport] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    async def speak(self, call_sid: str, reply: Any, turn: UserTurn | None = None) -> None:
        """The loop, as code with plain objects writes it."""
        manager = self.manager
        self.queued.append(0)
        async for payload in manager.get_tts_stream().generate(reply, turn=turn):
            await manager.get_streamer(call_sid).queue_audio(payload)
            self.queued[-1] += 1

    async def hears(self, line: SimCall) -> str:
        return self.lexicon.text((await line.caller.hears()).audio)

    async def report(self, line: SimCall) -> CallReport:
        await line.hangs_up()
        await line.ended()
        await asyncio.sleep(1.0)
        return self.reports[-1]


async def echo(desk: Desk, sid: str, turn: UserTurn) -> None:
    desk.manager.get_call(sid).conversation.add("user", turn.text)
    await desk.speak(sid, f"You said: {turn.text}", turn)


async def ask(desk: Desk, sid: str, turn: UserTurn) -> None:
    conversation = desk.manager.get_call(sid).conversation
    conversation.add("user", turn.text)
    async with aclosing(desk.llm.respond(list(conversation))) as tokens:
        await desk.speak(sid, tokens, turn)


@asynccontextmanager
async def desk_with(
    answer: Turn, answers: Sequence[str | Reply] | Callable[[Sequence[Message]], str] = ("Okay.",)
) -> AsyncIterator[Desk]:
    lexicon = Lexicon()
    async with simulated_services(answers, lexicon=lexicon, caller=ScriptedTTS(lexicon)) as services:
        with services.environ():
            stt = GoogleSTT(channel=services.google.channel)
            desk = Desk(services, ConnectionManager(CartesiaTTS("a-voice")), AnthropicLLM("claude-haiku-5-5"), lexicon)

            class Replies(Processor):
                async def start(self) -> None:
                    await self.call.runtime.warm(desk.llm)

                async def on_user_turn(self, turn: UserTurn) -> None:
                    self.call.work(self._reply(turn), "a reply")

                async def _reply(self, turn: UserTurn) -> None:
                    try:
                        await answer(desk, self.call.id, turn)
                    except Exception as error:
                        desk.failures.append(error)

            def bot(call: Call) -> Pipeline:
                desk.manager.connect(call)
                return Pipeline([call.transport, EnergyVAD(), stt, TurnTaking(), Replies(), AudioStreamer()])

            def taken(call: Call) -> None:
                call.on_end(desk.reports.append)

            phone = serving_phone(bot, options=PhoneOptions(on_call=taken))
            async with phone as serving:
                services.twilio.tunnel(serving.public_url, serving.url)
                desk.url = f"{serving.public_url}/voice"
                yield desk
            assert desk.manager.calls == []


async def test_a_reply_that_is_generated_and_queued_is_heard_to_its_last_word() -> None:
    async with desk_with(echo) as desk:
        line = await desk.services.twilio.call(desk.url)
        await line.caller.says("Two large teas please.")
        assert await desk.hears(line) == "You said: Two large teas please."
        (said,) = line.caller.utterances
        assert line.caller.carrier.truth.heard_between(said.speech_ended, said.speech_ended + 0.64).strip(b"\xff")
        assert line.caller.carrier.truth.holes() == []
        report = await desk.report(line)
        assert len(desk.services.cartesia.sockets) == 1
    (turn,) = report.turns
    assert (turn.caller, turn.heard) == ("Two large teas please.", "You said: Two large teas please.")
    assert report.faults == []
    assert report.usage["tts.characters"] == len("You said: Two large teas please.")


async def test_what_the_model_writes_is_spoken_as_it_is_written_and_remembered() -> None:
    def answer(messages: Sequence[Message]) -> str:
        return f"You asked {sum(message.role == 'user' for message in messages)} times. {LONG}"

    async with desk_with(ask, answer) as desk:
        line = await desk.services.twilio.call(desk.url)
        for number in (1, 2):
            await line.caller.says("What do you have?")
            assert await desk.hears(line) == f"You asked {number} times. {LONG}"
        report = await desk.report(line)
        first, second = desk.services.anthropic.requests
    assert [message.text for message in second.messages] == [
        "What do you have?",
        f"You asked 1 times. {LONG}",
        "What do you have?",
    ]
    assert [turn.heard for turn in report.turns] == [f"You asked {number} times. {LONG}" for number in (1, 2)]
    latency = report.turns[0].latency
    assert latency is not None
    assert latency.total < 0.5 + 0.3 + 0.09 + 0.1
    assert first.complete
    assert second.complete


async def test_when_the_caller_interrupts_the_loop_ends_and_the_model_stops_writing() -> None:
    replies: list[str | Reply] = [Reply(f"{LONG} " * 20, rate=5.0), "Tea it is."]
    async with desk_with(ask, replies) as desk:
        line = await desk.services.twilio.call(desk.url)
        await line.caller.says("What do you have?")
        cut = await line.caller.interrupts("Just a tea please", after=3.0)
        assert cut.agent_stopped - cut.speech.speech_started < 0.25
        assert await desk.hears(line) == "Tea it is."
        report = await desk.report(line)
        services = desk.services
        assert len(services.anthropic.disconnects) == 1
        assert services.anthropic.requests[0].tokens < 60
        assert [context.outcome for context in services.cartesia.contexts if context.outcome is None] == []
        remembered = services.anthropic.requests[1].messages
    assert report.turns[0].interrupted
    assert remembered[1].text == report.turns[0].heard
    assert LONG.startswith(report.turns[0].heard)
    assert 4 <= len(report.turns[0].heard.split()) <= 10
    assert desk.failures == []


async def test_when_the_caller_hangs_up_in_the_middle_the_loop_ends_and_nothing_is_left() -> None:
    async with desk_with(ask, [Reply(f"{LONG} " * 20, rate=5.0)]) as desk:
        line = await desk.services.twilio.call(desk.url)
        sid = line.sid
        await line.caller.says("What do you have?")
        await asyncio.sleep(2.0)
        report = await desk.report(line)
        services = desk.services
        assert len(services.anthropic.disconnects) == 1
        assert services.google.open_streams == 0
        assert [context for context in services.cartesia.contexts if context.outcome is None] == []
        assert len(services.cartesia.open) == 1
        with pytest.raises(NoSuchCall):
            desk.manager.get_streamer(sid)
    assert report.reason == "caller hung up"
    assert report.abandoned == []
    assert report.faults == []
    assert desk.queued[-1] > 0


async def test_several_calls_are_spoken_to_at_once_over_one_socket() -> None:
    async with desk_with(echo) as desk:
        lines = [await desk.services.twilio.call(desk.url) for _ in range(4)]
        await asyncio.gather(*(line.caller.says(f"I want {word}.") for line, word in zip(lines, WORDS, strict=True)))
        heard = await asyncio.gather(*(desk.hears(line) for line in lines))
        announcement = "We close in ten minutes."
        await asyncio.gather(*(desk.speak(call.id, announcement) for call in desk.manager))
        heard_then = await asyncio.gather(*(desk.hears(line) for line in lines))
        for line in lines:
            await desk.report(line)
        assert len(desk.services.cartesia.sockets) == 1
    assert heard == [f"You said: I want {word}." for word in WORDS]
    assert heard_then == [announcement] * 4
    assert [report.conversation[-1].text for report in desk.reports] == [announcement] * 4


WORDS = ("coffee", "tea", "cake", "soup")
