"""What a user sees when a bot cannot be served: one message that says what is wrong and what to do, and status 1."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serve, serving_phone
from voiceloop.server.starting import CannotStart
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.services import KEY, Services, simulated_services
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS

ROOT = Path(__file__).resolve().parents[2]
BOT = ROOT / "examples" / "twilio_bot.py"
PREFIXES = ("ANTHROPIC", "CARTESIA", "CLOUDSDK", "GCLOUD", "GCE_", "GOOGLE", "OPENAI", "TWILIO", "VOICELOOP_PUBLIC")
NO_GOOGLE = {"NO_GCE_CHECK": "true", "HOME": "/dev/null", "CLOUDSDK_CONFIG": "/dev/null"}
PHONE = {"public_url": "https://agent.example.com", "auth_token": "a" * 32}
Change = Callable[[Services], None]


async def output(environment: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Exit status and standard error of the examples' bot, served."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(command or (str(BOT),)),
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(40):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def environment() -> AsyncIterator[tuple[dict[str, str], Services]]:
    async with simulated_services(["Hello."], lexicon=Lexicon()) as services:
        yield dict(services.environment), services


def mended(errors: str) -> list[str]:
    """The things to mend that were told."""
    lines = errors.splitlines()
    assert "Traceback" not in errors
    assert lines[-1] == "Look at everything with `voiceloop doctor`."
    assert lines[0].startswith("voiceloop: ")
    if len(lines) == 2:
        return [lines[0].removeprefix("voiceloop: ")]
    assert lines[0] == f"voiceloop: {len(lines) - 2} things to mend before the bot can answer the phone:"
    return [line.removeprefix("  - ") for line in lines[1:-1]]


@pytest.mark.realtime
async def test_without_any_key_all_that_is_missing_is_told_at_once() -> None:
    status, errors = await output(NO_GOOGLE)
    assert status == 1
    told = mended(errors)
    variables = [
        "VOICELOOP_PUBLIC_URL",
        "TWILIO_AUTH_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "ANTHROPIC_API_KEY",
        "CARTESIA_API_KEY",
    ]
    assert len(told) == len(variables)
    for line, variable in zip(told, variables, strict=True):
        assert variable in line


def no_voice(services: Services) -> None:
    services.cartesia.options = replace(services.cartesia.options, voices=["another"])


def no_credit(services: Services) -> None:
    services.cartesia.options = replace(services.cartesia.options, credit=False)


def no_model(services: Services) -> None:
    services.anthropic._models = ("claude-another",)


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("variables", "change", "said"),
    [
        ({"VOICELOOP_PUBLIC_URL": ""}, None, "no public URL: Twilio must be able to reach this server"),
        (
            {"VOICELOOP_PUBLIC_URL": "http://agent.example.com"},
            None,
            "expected a public URL with https, since Twilio opens streams over TLS only",
        ),
        ({"VOICELOOP_PUBLIC_URL": "agent.example.com"}, None, "did you mean https://agent.example.com?"),
        ({"TWILIO_AUTH_TOKEN": ""}, None, "no auth token, so nobody could tell Twilio from an impostor"),
        ({"TWILIO_ACCOUNT_SID": "AC12"}, None, "expected TWILIO_ACCOUNT_SID to be AC and 32 hexadecimal digits"),
        (
            {"ANTHROPIC_API_KEY": "sk-wrong-key"},
            None,
            "the key is not accepted (401)",
        ),
        ({}, no_model, "there is no model 'claude-haiku-5-5' (404), or the key may not use it: check its name"),
        ({"CARTESIA_API_KEY": "sk_car_wrong-key"}, None, "it does not accept the key (401)"),
        ({}, no_voice, "it has no voice 'a0e99841-438c-4a64-b679-ae501e7d6091' (404)"),
        ({}, no_credit, "no credit is left, or the plan does not include this (402)"),
        ({"GOOGLE_SPEECH_ENDPOINT": ""} | NO_GOOGLE, None, "GoogleSTT: no credentials for Google: set GOOGLE_APPLI"),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, None, "no connection"),
    ],
)
async def test_one_thing_that_is_wrong_is_told_alone(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], change: Change | None, said: str
) -> None:
    async with environment() as (right, services):
        if change is not None:
            change(services)
        for name, value in (right | variables).items():
            monkeypatch.setenv(name, value)
        (told,) = await problems(load_bot(BOT).bot)
    assert said in told
    assert "wrong-key" not in told
    assert KEY not in told


@pytest.mark.long
@pytest.mark.realtime
async def test_a_wrong_key_ends_the_process_without_a_traceback() -> None:
    async with environment() as (right, _):
        status, errors = await output(right | {"ANTHROPIC_API_KEY": "sk-wrong-key"})
    (told,) = mended(errors)
    assert status == 1
    assert told.startswith(f"AnthropicLLM: {right['ANTHROPIC_BASE_URL']}: the key is not accepted (401)")
    assert "this looks like a key of OpenAI" in told
    assert "wrong-key" not in errors


@pytest.mark.long
@pytest.mark.realtime
async def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = f"import runpy; from voiceloop.server.serve import serve; bot = runpy.run_path({str(BOT)!r})['bot']"
        async with environment() as (right, _):
            status, errors = await output(right, "-c", f"{code}; serve(bot, host='127.0.0.1', port={port})")
    assert status == 1
    assert mended(errors)[0].startswith(f"port {port} is in use: end what uses it, or choose another (port 0 takes")


def pipeline(call: Any, llm: ScriptedLLM | None = None, tts: ScriptedTTS | None = None) -> Any:
    lexicon = Lexicon()
    ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(llm or ScriptedLLM(["Yes."])), tts or ScriptedTTS(lexicon), AudioStreamer()])


async def problems(bot: Any, **options: str) -> tuple[str, ...]:
    with pytest.raises(CannotStart) as error:
        async with serving_phone(bot, options=PhoneOptions(**options)):
            pass
    return error.value.problems


async def test_a_voice_that_cannot_say_the_greeting_keeps_a_bot_from_starting() -> None:
    voice = ScriptedTTS(Lexicon(), failing=Failing("raise"))
    (problem,) = await problems(lambda call: pipeline(call, tts=voice), **PHONE)
    assert problem == "the voice cannot speak: ConnectionError: broken, as scripted"


async def test_a_bot_that_raises_names_its_line() -> None:
    def bot(call: Any) -> Any:
        return pipeline(call, llm={}["model"])

    with pytest.raises(VoiceloopError, match=r"bot\(call\) raised KeyError: 'model' \(test_starting\.py, line \d+\)"):
        async with serving_phone(bot, options=PhoneOptions(**PHONE)):
            pass


def test_serve_ends_the_process_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit) as stop:
        serve(pipeline)
    assert stop.value.code == 1
    assert len(mended(capsys.readouterr().err)) == 2
