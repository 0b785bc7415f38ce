"""A key that is not accepted any more in the middle of a call: the caller hears an apology, the log says what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.conversation import Message
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.report import CallReport
from voiceloop.server.serve import serving_phone
from voiceloop.sim.anthropic import Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import Fault
from voiceloop.sim.services import Services
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import ScriptedTTS
from voiceloop.tts.cartesia import CartesiaTTS

Open = Callable[..., AbstractAsyncContextManager[Services]]
APOLOGY = "Sorry, something went wrong."


def steady(messages: Sequence[Message]) -> Reply:
    return Reply("Yes.")


def once(messages: Sequence[Message]) -> Reply:
    """Answers the first turn; then the key is not accepted any more."""
    asked = sum(message.role == "user" and message.text.startswith("Are") for message in messages)
    return Reply("Yes.") if asked == 1 else Reply(status=401)


async def conversation(
    services: Open,
    rotate: Callable[[Services], None],
    answers: Callable[[Sequence[Message]], Reply] = steady,
    asked: Sequence[str] = ("Are you open?", "Are you sure?"),
) -> tuple[list[str], CallReport]:
    """Some turns; after the first a key is changed. What the caller heard, and the report."""
    reports: list[CallReport] = []
    lexicon = Lexicon()
    async with services(lexicon=lexicon, caller=ScriptedTTS(lexicon)) as all_of_them:
        all_of_them.anthropic._answers = answers
        stt, llm, tts = (
            GoogleSTT(channel=all_of_them.google.channel),
            AnthropicLLM("claude-haiku-5-5"),
            CartesiaTTS("v"),
        )

        def bot(call: Call) -> Pipeline:
            call.on_end(reports.append)
            ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
            return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])

        async with serving_phone(bot) as serving:
            all_of_them.twilio.tunnel(serving.public_url, serving.url)
            line = await all_of_them.twilio.call()
            heard = [lexicon.text((await line.caller.hears()).audio)]
            for said in asked:
                await line.caller.says(said)
                heard.append(lexicon.text((await line.caller.hears()).audio))
                rotate(all_of_them)
            await line.hangs_up()
            await line.ended()
    return heard, reports[-1]


async def test_a_key_of_the_model(services: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        heard, report = await conversation(services, lambda all_of_them: None, once)
    assert heard[:2] == ["Hello.", "Yes."]
    assert heard[2].startswith(APOLOGY)
    told = " ".join(fault.message for fault in report.faults)
    assert "the key is not accepted (401)" in told
    assert "the key is not accepted (401)" in caplog.text
    assert "simulated-key" not in caplog.text


async def test_a_key_of_the_voice(services: Open) -> None:
    def rotate(all_of_them: Services) -> None:
        all_of_them.cartesia.options = replace(all_of_them.cartesia.options, key="another")
        all_of_them.cartesia.drop()

    heard, report = await conversation(services, rotate)
    assert heard[:2] == ["Hello.", "Yes."]
    assert heard[2].startswith(APOLOGY)  # rendered before the first call
    assert "does not accept the key (401)" in " ".join(fault.message for fault in report.faults)


async def test_credentials_of_the_recogniser(services: Open) -> None:
    def rotate(all_of_them: Services) -> None:
        all_of_them.google.faults = lambda number: Fault(code="UNAUTHENTICATED")

    # A stream that is open already goes on to the next pause.
    heard, report = await conversation(services, rotate, asked=("Are you open?", "Are you sure?", "Are you there?"))
    assert heard[:3] == ["Hello.", "Yes.", "Yes."]
    assert heard[3] == "Sorry, I didn't catch that."
    assert "check GOOGLE_APPLICATION_CREDENTIALS" in " ".join(fault.message for fault in report.faults)
