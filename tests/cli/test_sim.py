"""``voiceloop sim`` and ``voiceloop sim call``, as a user has them: the simulators, the bot and the caller each in a
process of their own."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from voiceloop.cli.main import main, parser
from voiceloop.sim.services import NAMES

ROOT = Path(__file__).resolve().parents[2]
BOT = ROOT / "examples" / "twilio_bot.py"
PREFIXES = ("ANTHROPIC", "CARTESIA", "GOOGLE", "OPENAI", "TWILIO", "VOICELOOP_PUBLIC", "VOICELOOP_SIM")
LIMIT = 50.0
SCRIPTED = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, calls

lexicon = VoicedLexicon()
stt, tts, llm = ScriptedSTT(lexicon), ScriptedTTS(lexicon), ScriptedLLM([("Two teas. Bye.", calls("hang_up"))])

def bot(call):
    model = LLMAggregator(llm, tools=[call.hang_up])
    return Pipeline([call.transport, EnergyVAD(), stt, TurnTaking("Hi."), model, tts, AudioStreamer()])
"""
ANSWERS = [
    [
        "A price?",
        [["price", {"drink": "latte", "size": "large"}]],
        "We have coffee, latte, cappuccino and mocha, small or large, all day, every day.",
    ],
    ["- One small mocha, please.", ["One small mocha. Goodbye.", ["hang_up", {}]]],
]
Process = asyncio.subprocess.Process


@asynccontextmanager
async def process(*arguments: str, cwd: Path, **environment: str) -> AsyncIterator[Process]:
    """A Python process with its output to read; killed at the end if it still runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    made = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT):
            yield made
    finally:
        if made.returncode is None:
            made.kill()
        await made.communicate()


async def lines(made: Process, until: str) -> list[str]:
    """Lines of its output, to the one that begins with a text."""
    assert made.stdout is not None
    found: list[str] = []
    while not found or not found[-1].startswith(until):
        line = (await made.stdout.readline()).decode()
        assert line, f"it ended before it said {until!r}: {found}"
        found.append(line.rstrip("\n"))
    return found


def exported(printed: list[str]) -> dict[str, str]:
    """What a shell makes of the lines."""
    words = [shlex.split(line) for line in printed]
    assert {word[0] for word in words} == {"export"}
    return dict(word[1].split("=", 1) for word in words)


@asynccontextmanager
async def simulators(tmp_path: Path, *arguments: str) -> AsyncIterator[dict[str, str]]:
    command = ("-m", "voiceloop.cli.main", "sim", "--ports", "0", *arguments)
    async with process(*command, cwd=tmp_path) as served:
        yield exported(await lines(served, "export VOICELOOP_SIM_URL="))
        served.send_signal(signal.SIGINT)
        _, errors = await served.communicate()
        assert served.returncode == 130
        assert b"Traceback" not in errors
        assert b"The environment was written to standard output; in the bot's terminal: `. ./sim.env`" in errors


async def finished(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Status and output of a command."""
    async with process("-m", "voiceloop.cli.main", *arguments, cwd=cwd, **environment) as made:
        output, errors = await made.communicate()
        assert made.returncode is not None
        return made.returncode, output.decode(), errors.decode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def bot(tmp_path: Path, port: int, environment: Mapping[str, str]) -> AsyncIterator[None]:
    """The bot of the examples, at a port that is free."""
    code = f"import runpy; from voiceloop.server.serve import serve; bot = runpy.run_path({str(BOT)!r})['bot']"
    async with process("-c", f"{code}; serve(bot, host='127.0.0.1', port={port})", cwd=tmp_path, **environment) as made:
        await lines(made, "  Call status changes:")
        yield
        made.send_signal(signal.SIGINT)
        _, errors = await made.communicate()
        assert made.returncode == 0
        assert b"Traceback" not in errors


@pytest.mark.long
@pytest.mark.realtime
async def test_a_conversation_over_three_processes(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS))
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    options = ("--public-url", here, "--answers", "answers.json", "--profile", "fast")
    async with simulators(tmp_path, *options) as environment, bot(tmp_path, port, environment):
        status, output, errors = await finished("sim", "call", "--json", cwd=tmp_path, environment=environment)
        checked = await finished("doctor", str(BOT), "--json", cwd=tmp_path, environment=environment)
    result = json.loads(output)
    assert (status, errors, result["failed"], result["alerts"]) == (0, "", None, [])
    greeting, asked, cut, order, reply = result["conversation"]
    assert greeting["heard"] == "Corner Coffee, hi! What can I get you?"
    assert (asked["said"], order["said"]) == ("A price?", "One small mocha, please.")
    assert cut["heard"].startswith("We have coffee,")
    assert cut["cut"] is True
    assert reply["heard"] == "One small mocha. Goodbye."
    assert 0.3 < reply["after"] < 2.0
    assert result["over"] == "closed by the server (1000)"  # the agent has hung up
    with wave.open(str(tmp_path / "voiceloop-call.wav")) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)
        assert recording.getnframes() > 5 * 8000
    found = {each["what"]: each for each in json.loads(checked[1])["findings"]}
    assert (checked[0], checked[2], json.loads(checked[1])["wrong"]) == (0, "", 0)
    assert found["GoogleSTT"]["text"] == "it heard 'Hello, hello. One, two, three.'"
    for what in ("CartesiaTTS", "AnthropicLLM", "bot", "Twilio account", "webhook of Twilio", "media stream", "clock"):
        assert found[what]["state"] == "ok"


@pytest.mark.long
@pytest.mark.realtime
async def test_without_a_bot_the_call_fails_with_the_code_of_twilio(tmp_path: Path) -> None:
    async with simulators(tmp_path, "twilio") as environment:
        assert set(environment) == {
            *("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET", "TWILIO_BASE_URL"),
            *("VOICELOOP_PUBLIC_URL", "VOICELOOP_SIM_URL"),
        }
        port = free_port()
        arguments = ("sim", "call", f"http://127.0.0.1:{port}", "--says", "Hello?")
        status, output, errors = await finished(*arguments, cwd=tmp_path, environment=environment)
    assert status == 1
    assert output == "The phone rings.\n"
    assert "11200 HTTP retrieval failure" in errors
    assert errors.endswith("Is the bot served there?\n")
    assert not (tmp_path / "voiceloop-call.wav").exists()


@pytest.mark.realtime
async def test_a_bot_without_an_account_is_served_in_one_terminal_and_rung_from_another(tmp_path: Path) -> None:
    pytest.importorskip("pydantic")
    (tmp_path / "bot.py").write_text(SCRIPTED)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    server = ("-m", "voiceloop.cli.main", "serve", "bot.py", "--port", "0", "--store", "none")
    async with process(*server, cwd=tmp_path, **environment) as served:
        told = await lines(served, "  voiceloop sim call ")
        words = told[-1].split()[1:]
        speech = ("--speech", "artificial", "--says", "Two teas, please.")
        status, output, errors = await finished(*words, *speech, cwd=tmp_path, environment=environment)
        served.send_signal(signal.SIGTERM)
        await served.communicate()
        assert served.returncode == 0
    assert (status, errors) == (0, "")
    assert output.splitlines()[:3] == ["The phone rings.", "  agent:  Hi.", "  caller: Two teas, please."]
    assert output.splitlines()[3].startswith("  agent:  Two teas. Bye.  [")
    with wave.open(str(tmp_path / "voiceloop-call.wav")) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)
    assert list((tmp_path / "voiceloop").iterdir()) == []  # the token has gone with the server


@pytest.mark.realtime
async def test_artificial_ears_take_no_recordings_of_people(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\x00\x10" * 8000)
    async with simulators(tmp_path, "twilio") as environment:
        arguments = ("sim", "call", "--caller", "hello.wav")
        status, _, errors = await finished(*arguments, cwd=tmp_path, environment=environment)
    assert status == 1
    assert "need voiceloop sim --speech embedded" in errors


def test_without_simulators_a_call_says_how_to_start_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    recording = str(tmp_path / "call.wav")
    assert main(["sim", "call", "--exchange", nowhere, "--recording", recording]) == 1
    assert (
        capsys.readouterr().err
        == f"voiceloop: nothing listens at {nowhere}: start `voiceloop sim` in another terminal\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sim", "googel"], f"expected some of {', '.join(NAMES)}, or call, got googel"),
        (["sim", "--answers", "missing.json"], "cannot read the conversation missing.json"),
        (["sim", "--ports", "65534"], "expected --ports from 1024 to"),
        (["sim", "--public-url", "http://agent.example.com"], "expected a public URL with https"),
        (["sim", "call", "bot.py"], "expected the webhook of a bot, like http://127.0.0.1:8080/voice, got 'bot.py'"),
        (["sim", "call", "--caller", "missing.wav"], "missing.wav"),
        (["sim", "call", "--patience", "nan"], "expected --patience from 0 to 60 seconds, got nan"),
    ],
)
def test_what_a_user_gets_wrong_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] - 3  # of twilio
        assert main(["sim", "--ports", str(port), "twilio"]) == 1
    assert f"a port from {port} on is in use" in capsys.readouterr().err


def test_what_the_caller_says_stays_in_order() -> None:
    words = ["sim", "call", "--says", "Hello.", "- Stop.", "--caller", "a.wav", "--says", "Bye."]
    options = parser().parse_args(words)
    assert options.lines == [("says", "Hello."), ("says", "- Stop."), ("caller", "a.wav"), ("says", "Bye.")]


def test_call_is_no_service() -> None:
    assert parser().parse_args(["sim", "google", "twilio"]).services == ["google", "twilio"]
    assert parser().parse_args(["sim", "call"]).command == "sim call"
