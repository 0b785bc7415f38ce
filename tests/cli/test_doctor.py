"""``voiceloop doctor`` against the simulators: without keys, with wrong ones, with right ones."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from voiceloop.cli.doctor import doctor
from voiceloop.cli.load import load_bot
from voiceloop.cli.main import main, parser
from voiceloop.server.serve import serving_phone
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.services import KEY, simulated_services
from voiceloop.sim.twilio import TOKEN

PREFIXES = ("ANTHROPIC", "CARTESIA", "CLOUDSDK", "GCLOUD", "GCE_", "GOOGLE", "OPENAI", "TWILIO", "VOICELOOP_PUBLIC")
PORT = 8080
BASE = f"http://127.0.0.1:{PORT}"
OWN = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.testing import Lexicon, ScriptedSTT
from voiceloop.tts.cartesia import CartesiaTTS

stt, llm, tts = ScriptedSTT(Lexicon()), AnthropicLLM("claude-haiku-5-5"), CartesiaTTS("any")

def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)


@pytest.fixture
def own_bot(tmp_path: Path) -> Path:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return file


async def states(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, str]]:
    """Exit status, and the state of everything but versions and environment."""
    status = await doctor(parser().parse_args(["doctor", *map(str, arguments), "--json"]))
    found = json.loads(capsys.readouterr().out)
    assert found["wrong"] == sum(each["state"] == "wrong" for each in found["findings"])
    first = next(index for index, each in enumerate(found["findings"]) if each["what"].startswith("environment"))
    return status, {
        each["what"]: each["state"]
        for each in found["findings"][first:]
        if not each["what"].startswith(("environment", "extra"))
    }


@asynccontextmanager
async def served(bot: Path) -> AsyncIterator[None]:
    async with simulated_services(["Hello."], lexicon=Lexicon(), public_url=BASE) as services:
        with services.environ():
            async with serving_phone(load_bot(bot), port=PORT):
                yield


async def test_with_right_keys_all_is_well(own_bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(own_bot):
        status, found = await states(capsys, own_bot)
    assert found == {
        "CartesiaTTS": "ok",
        "ScriptedSTT": "warning",  # it shares no lexicon with the voice
        "AnthropicLLM": "ok",
        "bot": "ok",
        "auth token": "ok",
        "Twilio account": "ok",
        "number +15550001111": "ok",
        "public URL": "ok",
        "webhook of a stranger": "ok",
        "webhook of Twilio": "ok",
        "media stream": "ok",
        "clock": "ok",
    }
    assert status == 0


async def test_with_wrong_keys_each_is_told(own_bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(own_bot):
        with pytest.MonkeyPatch.context() as wrong_keys:
            for name in ("ANTHROPIC_API_KEY", "CARTESIA_API_KEY", "TWILIO_AUTH_TOKEN"):
                wrong_keys.setenv(name, "f" * 32)
            status, found = await states(capsys, own_bot)
    wrong = {what for what, state in found.items() if state == "wrong"}
    assert wrong == {"CartesiaTTS", "AnthropicLLM", "Twilio account", "webhook of Twilio"}
    assert found["bot"] == "skipped"
    assert status == 1


async def test_without_keys_each_service_is_told_with_its_variable(
    own_bot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await doctor(parser().parse_args(["doctor", str(own_bot)]))
    told = capsys.readouterr().out
    wrong = [line for line in told.splitlines() if line.startswith("WRONG")]
    assert status == 1
    assert len(wrong) == 5
    for line, variable in zip(
        wrong,
        ["CARTESIA_API_KEY", "ANTHROPIC_API_KEY", "TWILIO_AUTH_TOKEN", "VOICELOOP_PUBLIC_URL", "TWILIO_ACCOUNT_SID"],
        strict=True,
    ):
        assert variable in line
    assert told.endswith("\n5 to mend.\n")


async def test_a_public_url_with_http_is_told(own_bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(own_bot):
        _, found = await states(capsys, own_bot, "--public-url", "http://agent.example.com")
    assert found["public URL"] == "wrong"
    assert found["number +15550001111"] == "ok"  # it leads somewhere; whether to us is not known
    assert "media stream" not in found


async def test_twilio_can_be_left_out(own_bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(own_bot):
        status, found = await states(capsys, own_bot, "--no-twilio")
    assert status == 0
    assert set(found) == {"CartesiaTTS", "ScriptedSTT", "AnthropicLLM", "bot", "clock"}


async def test_no_key_is_shown(own_bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(own_bot):
        await doctor(parser().parse_args(["doctor", str(own_bot)]))
    told = capsys.readouterr().out
    assert "All is well." in told
    assert KEY not in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("import no_such_module_at_all", "wrong", "ModuleNotFoundError"),
        ("def bot(call):\n    raise LookupError('menu')", "wrong", "bot(call) raised LookupError: menu"),
        (
            "from voiceloop import Pipeline\ndef bot(call):\n    return Pipeline([call.transport])",
            "warning",
            "its module names no provider",
        ),
    ],
)
async def test_a_bot_that_cannot_start_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, state: str, said: str
) -> None:
    file = tmp_path / "broken_bot.py"
    file.write_text(code)
    await doctor(parser().parse_args(["doctor", str(file), "--no-twilio", "--json"]))
    told = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["what"] in ("bot", "bot file")]
    assert [each["state"] for each in told] == [state]
    assert said in told[0]["text"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("return Pipeline(", "Pipeline(", "bot(call) must return a Pipeline, got NoneType"),
        ("EnergyVAD(), stt", "EnergyVAD, stt", "EnergyVAD"),
        ("LLMAggregator(llm)", "LLMAggregator(llm, tools=[price])", "price: expected a type for each parameter"),
    ],
)
async def test_a_wrong_bot_is_told_also_when_a_provider_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, said: str
) -> None:
    assert before in OWN
    file = tmp_path / "wrong_bot.py"
    file.write_text(OWN.replace(before, after) + 'def price(drink):\n    """Text."""\n')
    await doctor(parser().parse_args(["doctor", str(file), "--no-twilio", "--json"]))
    told = {each["what"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert (told["AnthropicLLM"]["state"], told["bot"]["state"]) == ("wrong", "wrong")
    assert said in told["bot"]["text"]


def test_an_extra_that_is_missing_is_told(
    own_bot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from voiceloop import errors

    found = errors.find_spec
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "anthropic" else found(name))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any-key")
    assert main(["doctor", str(own_bot), "--no-twilio"]) == 1
    assert "WRONG    AnthropicLLM: AnthropicLLM needs the package anthropic: pip install" in capsys.readouterr().out
