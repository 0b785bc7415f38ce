"""``voiceloop sim call`` without ``voiceloop sim``: the process that calls has the exchange in it."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.cli.conversing import HELLO
from voiceloop.cli.main import parser
from voiceloop.cli.sim_call import sim_call
from voiceloop.errors import MissingExtra, VoiceloopError
from voiceloop.server.aiohttp_app import app_of
from voiceloop.server.local import local_access
from voiceloop.server.opening import open_phone
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.serving import listen
from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

LEXICON = VoicedLexicon()
STT, VOICE = ScriptedSTT(LEXICON), ScriptedTTS(LEXICON)
MODEL = ScriptedLLM(lambda messages: f"You said: {messages[-1].text}")
PORT = 8080
BASE = f"http://127.0.0.1:{PORT}"


def bot(call: Call, greeting: str = "Hello.") -> Pipeline:
    turns = TurnTaking(greeting)
    return Pipeline([call.transport, EnergyVAD(), STT, turns, LLMAggregator(MODEL), VOICE, AudioStreamer()])


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and an environment of its own, without any account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "VOICELOOP_PUBLIC_URL", "VOICELOOP_SIM_URL"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def served(answer: Any = bot, **options: Any) -> AsyncIterator[None]:
    """The bot at the port, with an account, or else for this machine only."""
    if options:
        async with serving_phone(answer, port=PORT, options=PhoneOptions(**options)):
            yield
        return
    with local_access(PORT) as access:
        local = PhoneOptions(public_url=access.base, auth_token=access.token)
        async with serving_phone(answer, port=PORT, options=local):
            yield


@asynccontextmanager
async def mounted(prefix: str, options: PhoneOptions) -> AsyncIterator[None]:
    """The bot under a prefix of an application at the port."""
    async with open_phone(bot, options=options) as phone:
        app = web.Application()
        app.add_subapp(prefix, app_of(phone))
        runner = await listen(app, PORT)
        try:
            yield
        finally:
            await runner.cleanup()


async def called(*arguments: str, speech: Sequence[str] = ("--speech", "artificial")) -> int:
    return await sim_call(parser().parse_args(["sim", "call", *speech, *arguments]))


async def test_a_bot_that_is_served_for_this_machine_is_rung_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with served():
        assert await called(f"http://localhost:{PORT}", "--says", "Two teas.", "Goodbye.") == 0
    rings, greeting, tea, two, bye, goodbye, end, saved = capsys.readouterr().out.splitlines()
    assert (rings, greeting, tea, bye) == (
        "The phone rings.",
        "  agent:  Hello.",
        "  caller: Two teas.",
        "  caller: Goodbye.",
    )
    assert two.startswith("  agent:  You said: Two teas.  [0.")
    assert goodbye.startswith("  agent:  You said: Goodbye.  [0.")
    assert (end, saved) == (
        "The call ended: hung up.",
        "Recording, caller left and agent right: voiceloop-call.wav",
    )
    with wave.open(str(tmp_path / "voiceloop-call.wav")) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)
        assert recording.getnframes() > 4 * 8000


async def test_a_caller_who_was_told_nothing_greets_asks_and_says_goodbye(capsys: pytest.CaptureFixture[str]) -> None:
    async with served():
        assert await called("--json") == 0
    told = json.loads(capsys.readouterr().out)["conversation"]
    assert [event["said"] for event in told if "said" in event] == [line for line, _ in HELLO]
    assert [event["heard"] for event in told if "heard" in event] == ["Hello.", *(f"You said: {s}" for s, _ in HELLO)]


async def test_no_two_calls_have_the_same_id() -> None:
    ids = []
    async with served(lambda call: ids.append(call.id) or bot(call)):  # type: ignore[func-returns-value]
        for _ in range(2):
            assert await called("--says", "Hello?") == 0
    assert len(set(ids)) == len(ids) >= 2


async def test_an_agent_without_a_greeting_is_spoken_to_first(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(lambda call: bot(call, "")):
        assert await called(BASE, "--says", "Is anybody there?") == 0
    assert capsys.readouterr().out.splitlines()[1:3] == ["  agent:  (silent for 6 s)", "  caller: Is anybody there?"]


async def test_with_an_account_the_token_of_the_environment_opens_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    public = "https://agent.example.com"
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "a-token")
    monkeypatch.setenv("VOICELOOP_PUBLIC_URL", public)
    async with served(public_url=public, auth_token="a-token"):
        assert await called(BASE, "--says", "Hello?") == 0


@pytest.mark.parametrize("public", ["https://agent.example.com", "https://agent.example.com/phone"])
@pytest.mark.parametrize("path", ["/phone/voice", "/phone", "/phone/"])
async def test_a_server_under_a_prefix_is_rung_whether_its_public_url_has_it_or_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], public: str, path: str
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "a-token")
    monkeypatch.setenv("VOICELOOP_PUBLIC_URL", public)
    async with mounted("/phone", PhoneOptions(public_url=public, auth_token="a-token")):
        assert await called(f"{BASE}{path}", "--says", "Hello?") == 0
    assert "  agent:  You said: Hello?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("twiml", "told"),
    [
        ("<Reject reason='busy'/>", "(busy): the webhook rejected it: busy"),
        ("<Say>Sorry.</Say><Say>Sorry.</Say><Hangup/>", "(completed): Twilio's voice said 'Sorry.'; the TwiML hung up"),
        ("", "(completed): the TwiML asked for none"),
    ],
)
async def test_a_webhook_of_ones_own_is_rung_as_it_is_and_what_it_does_is_told(
    capsys: pytest.CaptureFixture[str], twiml: str, told: str
) -> None:
    asked: list[str] = []

    async def incoming(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=f"<Response>{twiml}</Response>", content_type="text/xml")

    app = web.Application()
    app.router.add_post("/incoming", incoming)
    with local_access(PORT):
        runner = await listen(app, PORT)
        try:
            assert await called(f"{BASE}/incoming") == 1
        finally:
            await runner.cleanup()
    assert asked == ["/incoming"]
    assert capsys.readouterr().err == (f"voiceloop: the call has no stream {told}\nLook at the terminal of the bot.\n")


async def test_another_token_is_refused_and_told_which_it_must_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "another-token")
    async with served(public_url=BASE, auth_token="a-token"):
        assert await called(BASE) == 1
    told = capsys.readouterr()
    assert told.err.endswith(
        "TWILIO_AUTH_TOKEN and VOICELOOP_PUBLIC_URL must be here what they are in the terminal of the bot.\n"
    )
    assert "another-token" not in told.err + told.out


async def test_a_bot_that_checks_with_a_token_of_its_own_is_told_apart_from_none() -> None:
    async with served(public_url=BASE, auth_token="a-token"):
        with pytest.raises(VoiceloopError, match=r"has left no token for simulated calls.* set TWILIO_AUTH_TOKEN here"):
            await called(BASE)


@pytest.mark.parametrize("url", [None, BASE])
async def test_nothing_listens_is_told_with_what_to_start(url: str | None) -> None:
    message = f"nothing listens at {BASE}: start `voiceloop serve bot.py` in another terminal"
    with pytest.raises(VoiceloopError, match=message):
        await called(*([url] if url else []))


async def test_a_bot_that_still_loads_its_models_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with local_access(PORT) as access:
        calling = asyncio.create_task(called(BASE, "--says", "Hello?"))
        await asyncio.sleep(30)
        async with serving_phone(bot, port=PORT, options=PhoneOptions(public_url=BASE, auth_token=access.token)):
            assert await calling == 0
    assert "The bot is starting." in capsys.readouterr().err


async def test_a_port_that_is_taken_before_the_models_have_loaded_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(mute, "127.0.0.1", PORT)
    with local_access(PORT) as access:
        calling = asyncio.create_task(called(BASE, "--says", "Hello?"))
        await asyncio.sleep(30)
        silent.close()
        await silent.wait_closed()
        async with serving_phone(bot, port=PORT, options=PhoneOptions(public_url=BASE, auth_token=access.token)):
            assert await calling == 0
    assert "The bot is starting." in capsys.readouterr().err


async def test_a_bot_that_ends_while_it_starts_is_not_waited_for() -> None:
    with local_access(PORT):
        calling = asyncio.create_task(called(BASE))
        await asyncio.sleep(3)
    with pytest.raises(VoiceloopError, match=f"the bot at {BASE} has ended: look at its terminal"):
        async with asyncio.timeout(5):
            await calling


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keys: one", r"expected keys 0 to 9, \* and #, at most 100, like 'keys: 1234#', got 'keys: one'"),
        ("- keys: 1", "keys are pressed when the agent has spoken: leave out the dash before 'keys: 1'"),
    ],
)
async def test_keys_that_no_telephone_has_are_told_before_it_rings(line: str, said: str) -> None:
    with pytest.raises(VoiceloopError, match=said):
        await called(BASE, "--says", line)


async def test_a_bot_elsewhere_is_not_rung() -> None:
    with pytest.raises(VoiceloopError, match="expected a bot on this machine"):
        await called("https://agent.example.com/voice")


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(self: object) -> None:
        raise MissingExtra("Moonshine needs the package onnxruntime: pip install 'voiceloop[local]'")

    monkeypatch.setattr("voiceloop.stt.moonshine.Moonshine.warm", missing)
    async with served():
        with pytest.raises(VoiceloopError, match=r"pip install 'voiceloop\[local\]'. Or, .* --speech artificial"):
            await called(BASE, speech=())


async def test_an_exchange_that_is_named_must_be_there() -> None:
    with pytest.raises(VoiceloopError, match=r"nothing listens at http://127\.0\.0\.1:9: start `voiceloop sim`"):
        await called(BASE, "--exchange", "http://127.0.0.1:9", speech=())


async def test_speech_is_not_told_to_an_exchange_of_another_process() -> None:
    with pytest.raises(VoiceloopError, match="--speech is told to `voiceloop sim`"):
        await called(BASE, "--exchange", "http://127.0.0.1:9")
