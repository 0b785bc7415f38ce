"""``voiceloop dial``, against the simulated Twilio in virtual time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from voiceloop.cli.dial import dial
from voiceloop.cli.exchange import Exchange
from voiceloop.cli.main import parser
from voiceloop.cli.sim import BUSY, MACHINE, NOBODY, people
from voiceloop.errors import VoiceloopError
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.twilio import NUMBER, TOKEN, Machine, Phone, TwilioSim
from voiceloop.testing import ScriptedTTS

BOT = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

LEXICON = Lexicon()
LEXICON.speak("is my order ready")  # the words that it will know
stt, llm, tts = ScriptedSTT(LEXICON), script("It is ready."), ScriptedTTS(LEXICON)

def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking(f"Order {call.params.get('order')}.")]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])
"""
THEM = "+15550003333"
LEXICON = Lexicon()
Simulated = Callable[[], AbstractAsyncContextManager[TwilioSim]]


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in [name for name in os.environ if name.startswith(("TWILIO", "VOICELOOP_PUBLIC"))]:
        monkeypatch.delenv(name)
    file = tmp_path / "tea_bot.py"
    file.write_text(BOT)
    return str(file)


@asynccontextmanager
async def twilio(monkeypatch: pytest.MonkeyPatch, phone: Phone) -> AsyncIterator[TwilioSim]:
    """The simulated Twilio, as the environment names it."""
    sim = TwilioSim(voice=ScriptedTTS(LEXICON))
    sim.phones[THEM] = phone
    async with sim.listening() as rest:
        for name, value in {
            "TWILIO_ACCOUNT_SID": sim.account_sid,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_BASE_URL": rest,
            "VOICELOOP_PUBLIC_URL": "http://127.0.0.1:8080",
        }.items():
            monkeypatch.setenv(name, value)
        yield sim


async def run(*arguments: str) -> int:
    return await dial(parser().parse_args(["dial", *arguments]))


async def talk(caller: Caller) -> None:
    await caller.hears()
    await caller.says("is my order ready")
    await caller.hears()
    await caller.hangs_up()


async def test_the_conversation_is_shown_and_the_status_is_0(
    bot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with twilio(monkeypatch, Phone(person=talk)) as sim:
        assert await run(THEM, bot, "--param", "order=17") == 0
        line = next(iter(sim.calls.values()))
        assert (line.to, line.from_, line.direction) == (THEM, NUMBER, "outbound-api")
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["Loading the models.", f"Calling {THEM}.", "They have answered."]
    conversation = shown.out.splitlines()[:4]
    assert conversation[0] == "  agent:  Order 17."
    assert conversation[1] == "  caller: is my order ready"
    assert conversation[2] == "  agent:  It is ready."
    assert conversation[3].startswith("The call ended: caller hung up, after ")


async def test_who_does_not_answer_gives_the_status_1(
    bot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with twilio(monkeypatch, Phone(rings=100)):
        assert await run(THEM, bot, "--ring", "15") == 1
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == f"voiceloop: {THEM}: no answer: nobody answered within 15 s"
    assert shown.out == ""


async def test_a_message_is_left_on_a_machine_and_told_as_json(
    bot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with twilio(monkeypatch, Phone(machine=Machine())):
        assert await run(THEM, bot, "--message", "Your tea is ready.", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["answered_by"], told["message_left"]) == ("answered", "machine", True)
    assert told["reason"] == "message left"


async def test_a_call_without_a_turn_has_no_table(
    bot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def listens(caller: Caller) -> None:
        await caller.hears()
        await caller.hangs_up()

    async with twilio(monkeypatch, Phone(person=listens)):
        assert await run(THEM, bot) == 0
    greeting, end = capsys.readouterr().out.splitlines()
    assert greeting == "  agent:  Order None."
    assert end.startswith("The call ended: caller hung up, after ")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Simulated:
    """The Twilio of ``voiceloop sim``, with the people whom it has."""

    @asynccontextmanager
    async def simulators() -> AsyncIterator[TwilioSim]:
        async with twilio(monkeypatch, Phone()) as sim:
            people(sim, Exchange(sim, LEXICON, [("is my order ready", False)]))
            yield sim

    return simulators


async def test_who_is_called_at_the_simulators_talks(
    bot: str, simulated: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulated():
        assert await run("+15550001234", bot, "--param", "order=17") == 0
    conversation = capsys.readouterr().out.splitlines()
    assert conversation[:3] == ["  agent:  Order 17.", "  caller: is my order ready", "  agent:  It is ready."]
    assert conversation[3].startswith("The call ended: caller hung up, after ")


@pytest.mark.parametrize(
    ("number", "said"), [(BUSY, "busy: the line was busy"), (NOBODY, "no answer: nobody answered within 15 s")]
)
async def test_the_simulators_have_numbers_that_nobody_answers(
    bot: str, simulated: Simulated, capsys: pytest.CaptureFixture[str], number: str, said: str
) -> None:
    async with simulated():
        assert await run(number, bot, "--ring", "15") == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"voiceloop: {number}: {said}"


async def test_the_simulators_have_an_answering_machine(
    bot: str, simulated: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulated():
        assert await run(MACHINE, bot, "--message", "Your tea is ready.", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answered_by"], told["message_left"], told["reason"]) == ("machine", True, "message left")


async def test_a_process_that_is_told_to_stop_lets_no_telephone_ring(bot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with twilio(monkeypatch, Phone(rings=25.0)) as sim:
        asyncio.get_running_loop().call_later(10.0, signal.raise_signal, signal.SIGTERM)
        with pytest.raises(VoiceloopError, match="it was told to stop; the call was hung up"):
            await run(THEM, bot)
        line = next(iter(sim.calls.values()))
        await line.ended()
        assert line.answered_at is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--param", "order"], "expected --param NAME=VALUE, got 'order'"),
        (["--machine", "message"], "expected a message with machine='message'"),
        (["--port", "99999"], "expected --port from 0 to 65535"),
        (["--ring", "1"], "expected ring in whole seconds"),
        ([], "no account: set TWILIO_ACCOUNT_SID"),
    ],
)
async def test_what_cannot_be_done_is_told_before_anybody_is_called(bot: str, arguments: list[str], said: str) -> None:
    with pytest.raises(VoiceloopError, match=said):
        await run(THEM, bot, *arguments)
