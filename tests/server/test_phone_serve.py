"""``serve(bot)`` and ``voiceloop serve`` as a process of its own: it answers, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.server.serving import BOT, PUBLIC, REAL, Served, exchange, served, started, tea
from voiceloop.cli.main import main
from voiceloop.server.local import LocalAccess, find_access
from voiceloop.sim.twilio import ACCOUNT, TOKEN, TwilioSim

SCRIPT = (
    BOT
    + """
from voiceloop.server.serve import serve
serve(bot, host="127.0.0.1", port=0)
"""
)
ONE = ("--port", "0", "--store", "none")

pytestmark = pytest.mark.realtime


@pytest.fixture
def levels() -> Iterator[None]:
    """What the command sets is set back."""
    loggers = [logging.getLogger(), logging.getLogger("voiceloop")]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        logger.setLevel(level)


def script(folder: Path) -> str:
    return tea(folder, SCRIPT, "served.py")


async def test_sigterm_lets_a_call_go_on_and_takes_no_other(tmp_path: Path) -> None:
    sim = TwilioSim()
    async with sim.listening() as base_url:
        account = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_BASE_URL": base_url}
        async with started(tmp_path, script(tmp_path), environment=REAL | account) as process:
            await process.prints("Call status changes:")
            assert process.lines[2:4] == [
                f"  A call comes in:       Webhook, {PUBLIC}/voice, HTTP POST",
                f"  Call status changes:   {PUBLIC}/status, HTTP POST",
            ]
            sim.tunnel(PUBLIC, process.url)
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears(silence=0.2)
            process.process.send_signal(signal.SIGTERM)
            assert await process.prints("^Stopping") == [
                "Stopping: no new calls are taken; 1 call goes on, for 300 s at most. "
                "A second signal ends them when the agent has finished its sentence."
            ]
            late = await sim.call(f"{PUBLIC}/voice")
            assert late.status == "busy"
            async with aiohttp.ClientSession(process.url) as session, session.get("/readyz") as response:
                assert (response.status, await response.text()) == (503, "stopping\n")
            assert line.status == "in-progress"
            await line.hangs_up()
            assert await process.ended() == 0
    assert "Traceback" not in process.output
    assert TOKEN not in process.output


@pytest.mark.long
@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)], ids=["int", "twice term"])
async def test_a_call_is_ended_cleanly_when_it_is_to_stop_soon(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    async with started(tmp_path, script(tmp_path)) as process:
        await process.prints("Call status changes:")
        async with exchange(process) as sim:
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears(silence=0.2)
            for count, number in enumerate(signals, 1):
                process.process.send_signal(number)
                await process.prints("^Stopping", times=count)
            async with asyncio.timeout(10):
                await line.ended()
            assert await process.ended() == 0
            assert line.streams[0].end == "closed by the server (1000)"
    assert "Stopping: calls end." in process.lines
    assert "Traceback" not in process.output


@pytest.mark.long
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TWILIO_AUTH_TOKEN": TOKEN}, "no public URL: Twilio must be able to reach this server"),
        ({"VOICELOOP_PUBLIC_URL": PUBLIC}, "no auth token, so nobody could tell Twilio from an impostor"),
    ],
)
async def test_what_is_missing_is_told_at_the_start(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    async with started(tmp_path, script(tmp_path), environment=environment) as process:
        assert await process.ended() == 1
    assert said in process.output


async def test_without_an_account_only_this_machine_can_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, tea(tmp_path), *ONE, environment={}) as process:
        await process.prints("^For real calls")
        assert process.lines[2:5] == [
            f"Answering at {process.url}: simulated calls from this machine only. In another terminal:",
            f"  voiceloop sim call {process.url}",
            "For real calls set TWILIO_AUTH_TOKEN and VOICELOOP_PUBLIC_URL (or --public-url), and start again.",
        ]
        monkeypatch.setenv("VOICELOOP_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        access = find_access(process.url)
        assert access is not None
        await answers_only(process, access)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert find_access(process.url) is None
    assert access.token not in process.output


async def answers_only(process: Served, access: LocalAccess) -> None:
    """Whoever has the token is answered, and nobody else."""
    genuine = TwilioSim(access.account_sid, access.token)
    async with genuine.listening():
        line = await genuine.call(f"{process.url}/voice")
        await line.caller.hears(silence=0.2)
        await line.hangs_up()
        assert genuine.debugger == []
    stranger = TwilioSim()
    async with stranger.listening():
        await stranger.call(f"{process.url}/voice")
        assert [alert.code for alert in stranger.debugger] == [11200]


@pytest.mark.long
async def test_an_edited_file_answers_the_next_call(tmp_path: Path) -> None:
    file = tea(tmp_path)
    async with served(tmp_path, file, *ONE, "--reload") as process:
        await process.prints("^tea.py is ready")
        await process.prints("Call status changes:")
        async with exchange(process) as sim:
            first = await sim.call(f"{PUBLIC}/voice")
            await first.caller.hears(silence=0.2)
            tea(tmp_path, BOT.replace('"Hello."', "Hello."))
            broken = await sim.call(f"{PUBLIC}/voice")
            assert (broken.status, broken.streams) == ("completed", [])
            assert [what for what, _ in broken.did] == ["say", "hang up"]
            await process.prints(r"^tea\.py:9: SyntaxError")
            tea(tmp_path, BOT.replace('"Hello."', '"Good day."'))
            second = await sim.call(f"{PUBLIC}/voice")
            await second.caller.hears(silence=0.2)
            assert first.status == second.status == "in-progress"
            await first.hangs_up()
            await second.hangs_up()
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert process.lines.count("tea.py is ready.") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "0"), "expected --workers from 1 to 256, got 0"),
        (("--workers", "2", "--reload"), "--reload is for development, with one process: leave --workers out"),
        (("--drain", "-1"), "expected --drain from 0 to 86400 seconds, got -1"),
        (("--public-url", "agent.example.com"), "did you mean https://agent.example.com?"),
        (("--public-url", "foo", "--reload"), "expected a public URL like"),
        (("--public-url", "foo", "--workers", "2"), "expected a public URL like"),
        (("--store", "foo"), "got 'foo', which is no URL: did you mean sqlite:///foo?"),
        (("--store", "foo", "--reload"), "got 'foo', which is no URL: did you mean sqlite:///foo?"),
        (("--store", "foo", "--workers", "2"), "got 'foo', which is no URL: did you mean sqlite:///foo?"),
        (("--recordings-form", "pcm16"), "add --recordings FOLDER"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], levels: None
) -> None:
    assert main(["serve", str(tmp_path / tea(tmp_path)), *ONE, *arguments]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "Loading the models" not in told


def test_a_folder_is_told_from_the_file_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], levels: None) -> None:
    tea(tmp_path, name="bot.py")
    assert main(["serve", str(tmp_path), *ONE]) == 1
    assert f"{tmp_path} is a folder: is {tmp_path / 'bot.py'} the file?" in capsys.readouterr().err


@pytest.mark.parametrize("short", ["--record", "--metrics-p", "--rel"])
def test_half_an_option_is_none(tmp_path: Path, short: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", tea(tmp_path), short, "9"])
    assert f"unrecognized arguments: {short}" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str], levels: None) -> None:
    assert main(["serve", "nothing.py", *ONE]) == 1
    assert capsys.readouterr().err == (
        "voiceloop: expected a bot file, a Python module with bot(call), but there is no file nothing.py\n"
    )
