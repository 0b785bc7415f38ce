"""A bot that is served by a process of its own, a simulated Twilio before it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from voiceloop.sim.twilio import TOKEN, TwilioSim

PUBLIC = "https://agent.example.com"
ROOT = str(Path(__file__).resolve().parents[2])
REAL = {"TWILIO_AUTH_TOKEN": TOKEN, "VOICELOOP_PUBLIC_URL": PUBLIC}
"""What a server needs that takes calls from outside."""
PATIENCE = 60.0
"""Seconds until something is given up: it never takes as long, unless the machine is very busy."""
BOT = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

LEXICON = Lexicon()
stt, llm, tts = ScriptedSTT(LEXICON), script("One tea."), ScriptedTTS(LEXICON)

def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])
"""


class Served:
    """The process, and what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            self._news.set()

    @property
    def output(self) -> str:
        """All so far."""
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        """Where it listens."""
        return re.findall(r"http://127\.0\.0\.1:\d+", self.output)[0]

    async def prints(self, pattern: str, *, times: int = 1) -> list[str]:
        """Wait until so many lines match; gives all that do."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [line for line in self.lines if re.search(pattern, line)]) < times:
                assert not self._reading.done(), f"it ended without {pattern!r}:\n{self.output}"
                self._news.clear()
                await asyncio.wait(
                    [self._reading, news := asyncio.ensure_future(self._news.wait())],
                    return_when=asyncio.FIRST_COMPLETED,
                )
                news.cancel()
        return found

    async def ended(self) -> int:
        """Wait for the end; gives the exit status."""
        async with asyncio.timeout(PATIENCE):
            await self._reading
            return await self.process.wait()

    def workers(self) -> list[int]:
        """Ids of the processes that it has started."""
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def aclose(self) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self._reading


@asynccontextmanager
async def served(folder: Path, *arguments: str, environment: Mapping[str, str] = REAL) -> AsyncIterator[Served]:
    """``voiceloop serve …`` in a folder; killed at the end if it still runs."""
    command = ("-m", "voiceloop.cli.main", "serve", *arguments)
    async with started(folder, *command, environment=environment) as process:
        yield process


@asynccontextmanager
async def started(folder: Path, *command: str, environment: Mapping[str, str] = REAL) -> AsyncIterator[Served]:
    """A Python process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "VOICELOOP_"))}
    own = {"PYTHONUNBUFFERED": "1", "VOICELOOP_CACHE": str(folder / "cache"), "XDG_RUNTIME_DIR": ""}
    path = {"PYTHONPATH": os.pathsep.join(filter(None, (kept.get("PYTHONPATH"), ROOT)))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env=kept | path | own | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Served(process)
    try:
        yield running
    except BaseException:
        print(running.output)  # pytest shows it with the failure
        raise
    finally:
        await running.aclose()


async def until(condition: Callable[[], bool], limit: float = PATIENCE) -> None:
    """Wait for something that nothing tells of."""
    for _ in range(int(limit / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it did not come true within {limit:g} s")


def tea(folder: Path, text: str = BOT, name: str = "tea.py") -> str:
    """The bot's file; gives its name."""
    (folder / name).write_text(text)
    return name


@asynccontextmanager
async def exchange(process: Served | None = None) -> AsyncIterator[TwilioSim]:
    """A Twilio whose calls reach the process."""
    sim = TwilioSim()
    async with sim.listening():
        if process is not None:
            sim.tunnel(PUBLIC, process.url)
        yield sim
