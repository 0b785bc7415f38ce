"""One of two workers is killed with calls on the line: does every caller hear the agent again, how soon, and what does
the agent still know?

Real processes: ``voiceloop serve --workers 2`` with a store, and Twilio simulated in this one, over sockets on
loopback. The bot keeps a ledger of its own of what each caller has heard, apart from what is measured: the memory of a
call that came back must begin with it, word for word. Then as many calls live through SIGTERM, which must drop none.

    python benchmarks/kill.py                     40 calls, on SQLite and on PostgreSQL
    python benchmarks/kill.py --store sqlite
    python benchmarks/kill.py --smoke --json      8 calls, on SQLite

The exit status is 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.twilio import TOKEN, SimCall, TwilioSim
from voiceloop.store.database import Database
from voiceloop.store.record import CallRecord
from voiceloop.testing import ScriptedTTS

BOT = '''
import json, os
from pathlib import Path

from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.frames import Heard, UserTurn
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script

FOLDER = Path(os.environ["KILL_LEDGERS"])
LEXICON = Lexicon()
for word in WORDS:
    LEXICON.sound(word)
stt, tts = ScriptedSTT(LEXICON), ScriptedTTS(LEXICON)


class Ledger(Processor):
    """Writes down what was heard, whenever more was."""

    async def start(self):
        name = f"{self.call.id}.{os.getpid()}"
        self.file = os.open(FOLDER / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def on_heard(self, heard: Heard):
        texts = [[message.role, message.text] for message in self.call.conversation]
        os.write(self.file, (json.dumps(texts) + "\\n").encode())

    async def stop(self):
        os.close(self.file)


def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking(GREETING)]
    return Pipeline([*ears, LLMAggregator(script(ANSWER)), tts, AudioStreamer(), Ledger()])
'''
GREETING = "Tea room, hello!"
ANSWER = "We have green tea, black tea and mint tea. Which one would you like?"
SAID = ("what do you have", "which one is good", "tell me again")
SORRY = "Sorry, we were cut off."
QUIET = b"\xff\x7f"
FLOOR = 3.0
"""Seconds until the agent is heard again, for 95 of 100."""
READY_LIMIT = 120.0
TALK = 8.0
"""Seconds of conversation before the kill; half of it with few calls."""
FEW = 10
PHRASES = (GREETING, ANSWER, SORRY, *SAID, "Are you still there?", "Sorry, I didn't catch that.", "Goodbye.")


@dataclass
class Outcome:
    """What became of the calls."""

    store: str
    calls: int
    split: list[int] = field(default_factory=list)
    """Calls on each worker, that of the killed one first."""
    waits: list[float] = field(default_factory=list)
    """From the kill to the first sound of the agent on the new line, seconds."""
    unheard: list[str] = field(default_factory=list)
    """Calls that came to nothing, and why."""
    compared: int = 0
    """Messages of ledgers that were looked for in the memory."""
    forgotten: list[str] = field(default_factory=list)
    """Calls whose memory does not begin with their ledger."""
    records: int = 0
    streams: int = 0
    """Records of two streams."""
    dropped: list[str] = field(default_factory=list)
    """At SIGTERM, and why."""
    ended: int | None = None
    """The server's status at SIGTERM; None: it did not end."""

    @property
    def p95(self) -> float:
        waits = sorted(self.waits)
        return waits[math.ceil(0.95 * len(waits)) - 1] if waits else math.inf

    @property
    def missed(self) -> list[str]:
        """The floors that are not reached."""
        lost = self.split[0] if self.split else 0
        reached = {
            f"both workers have calls, got {self.split}": len(self.split) == 2 and min(self.split) > 0,
            f"all {lost} hear the agent again, {len(self.waits)} did": len(self.waits) == lost and not self.unheard,
            f"p95 at most {FLOOR:g} s, got {self.p95:.2f}": self.p95 <= FLOOR,
            f"memory equal to the ledger, {len(self.forgotten)} were not": not self.forgotten and self.compared > 0,
            f"a record for each of {self.calls} calls, got {self.records}": self.records == self.calls,
            f"{lost} records of two streams, got {self.streams}": self.streams == lost,
            f"none dropped at SIGTERM, {len(self.dropped)} were": not self.dropped,
            f"the server ends with 0 at SIGTERM, got {self.ended}": self.ended == 0,
        }
        return [floor for floor, is_reached in reached.items() if not is_reached]

    def lines(self) -> Iterator[str]:
        waits = sorted(self.waits)
        killed, other = [*self.split, 0, 0][:2]
        yield f"{self.store}: {self.calls} calls on two workers, {killed} on the killed one, {other} on the other"
        if waits:
            times = f"median {waits[len(waits) // 2]:.2f}, p95 {self.p95:.2f}, at most {waits[-1]:.2f} s"
            yield f"  heard the agent again: {len(waits)}; {times}"
        yield f"  came to nothing: {len(self.unheard)}{_some(self.unheard)}"
        yield f"  memory unlike the ledger: {len(self.forgotten)}, of {self.compared} messages{_some(self.forgotten)}"
        yield f"  records: {self.records}, of two streams {self.streams}"
        yield f"  SIGTERM: {len(self.dropped)} of {self.calls} calls dropped, the server ended with {self.ended}"
        yield from (f"  MISSED: {floor}" for floor in self.missed)

    def as_dict(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "calls": self.calls,
            "on_the_killed": self.split[:1],
            "on_the_other": self.split[1:],
            "heard_again": len(self.waits),
            "p95_seconds": round(self.p95, 3) if self.waits else None,
            "messages_compared": self.compared,
            "forgotten": len(self.forgotten),
            "records": self.records,
            "dropped": len(self.dropped),
            "missed": self.missed,
        }


def _some(why: list[str]) -> str:
    return f" {why[:3]}" if why else ""


@contextmanager
def database_url(kind: str, folder: Path) -> Iterator[str]:
    """Of a new database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/calls.db"
        return
    from voiceloop.testing.postgres import postgres_server

    with postgres_server() as server:
        yield server.make("calls")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers_of(pid: int) -> list[int]:
    """The processes beneath it that run the bot."""
    found = [each for child in children(pid) for each in (child, *workers_of(child))]
    return [each for each in found if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()]


class Server:
    """``voiceloop serve`` with two workers."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.ledgers = folder / "ledgers"
        self.ledgers.mkdir(exist_ok=True)
        words = sorted({word for phrase in PHRASES for word in phrase.split()})
        source = f"WORDS = {words!r}\nGREETING = {GREETING!r}\nANSWER = {ANSWER!r}\n{BOT}"
        (folder / "bot.py").write_text(source)

    async def __aenter__(self) -> Server:
        environment = {
            **os.environ,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "VOICELOOP_SPOOL": str(self.folder / "spool"),
            "KILL_LEDGERS": str(self.ledgers),
        }
        arguments = ["serve", "bot.py", "--workers", "2", "--host", "127.0.0.1", "--port", str(self.port)]
        arguments += ["--public-url", self.base, "--store", self.url, "--drain", "60"]
        self.log = (self.folder / "log").open("wb")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "voiceloop.cli.main",
            *arguments,
            cwd=self.folder,
            env=environment,
            stdout=self.log,
            stderr=self.log,
        )
        async with asyncio.timeout(READY_LIMIT):
            while not self._is_ready():  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
        return self

    def _is_ready(self) -> bool:
        """Whether both workers take calls: the second one starts when the first one is ready."""
        told = (self.folder / "log").read_text()
        if self.process.returncode is not None:
            raise RuntimeError(told[-2000:])
        return "2 workers are ready." in told

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self.log.close()

    def ledger(self, sid: str, pid: int) -> list[list[str]] | None:
        """What the bot of that process has written of a call last."""
        path = self.ledgers / f"{sid}.{pid}"
        if not path.exists():
            return None
        lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return json.loads(lines[-1]) if lines else []


async def converse(line: SimCall, draw: random.Random) -> None:
    """The caller speaks with the agent until the line is gone."""
    try:
        await line.caller.hears()
        await asyncio.sleep(draw.uniform(0.0, 3.0))
        for said in SAID:
            await line.caller.says(said)
            await line.caller.hears()
    except Exception:
        return


async def heard_again(line: SimCall, killed: float, outcome: Outcome) -> None:
    """Wait for the agent on the second line, and speak with it once more."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(20):
            caller = await line.connected(streams=2)
            stream = line.streams[1]
            while not stream.heard.translate(None, QUIET):  # noqa: ASYNC110 (what is played has no event)
                await asyncio.sleep(0.01)
        outcome.waits.append(loop.time() - killed)
        async with asyncio.timeout(60):
            await caller.hears()
            await caller.says(SAID[1])
            await caller.hears()
    except Exception as error:
        outcome.unheard.append(f"{line.sid[-4:]}: {type(error).__name__} {error} {line.did[-3:]}")


async def kill(server: Server, sim: TwilioSim, seed: int, outcome: Outcome) -> None:
    """One worker dies in the middle of everything."""
    draw, loop = random.Random(seed), asyncio.get_running_loop()
    lines = await asyncio.gather(*(sim.call(f"{server.base}/voice") for _ in range(outcome.calls)))
    talks = [asyncio.create_task(converse(line, random.Random(draw.random()))) for line in lines]
    await asyncio.sleep(TALK if outcome.calls > FEW else TALK / 2)
    ours = {
        pid: [line for line in lines if server.ledger(line.sid, pid) is not None]
        for pid in workers_of(server.process.pid)
    }
    victim = max(ours, key=lambda pid: len(ours[pid]))
    outcome.split = sorted((len(had) for had in ours.values()), reverse=True)
    os.kill(victim, signal.SIGKILL)
    killed = loop.time()
    await asyncio.gather(*(heard_again(line, killed, outcome) for line in ours[victim]))
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    await asyncio.gather(*(line.hangs_up() for line in lines))
    ledgers = {line.sid: server.ledger(line.sid, victim) for line in ours[victim]}
    found = await records_of(server, [line.sid for line in lines])
    outcome.records = sum(record is not None for record in found.values())
    outcome.streams = sum(record is not None and record.streams == 2 for record in found.values())
    for sid, ledger in ledgers.items():
        outcome.compared += len(answered(ledger or []))
        if why := unlike(found[sid], ledger or []):
            outcome.forgotten.append(f"{sid[-4:]}: {why}")


async def records_of(server: Server, sids: list[str]) -> dict[str, CallRecord | None]:
    """What the store has of calls that have just ended."""
    with Database(server.url) as database:
        for _ in range(20):
            await asyncio.sleep(0.25)
            found = {sid: database.get(sid) for sid in sids}
            if all(record is not None for record in found.values()):
                break
    return found


def answered(ledger: list[list[str]]) -> list[list[str]]:
    """All but words of the caller that nobody had answered: they are remembered where they are answered."""
    return ledger[:-1] if ledger and ledger[-1][0] == "user" else ledger


def unlike(record: CallRecord | None, ledger: list[list[str]]) -> str:
    """Where the memory of a call is not what its caller had heard; empty when it is."""
    if record is None:
        return "no record"
    texts: list[Any] = [[message["role"], message["text"]] for message in record.conversation]
    wanted = answered(ledger)
    return "" if texts[: len(wanted)] == wanted else f"{texts[: len(wanted)][-2:]} for {wanted[-2:]}"


async def drain(server: Server, sim: TwilioSim, outcome: Outcome) -> None:
    """The server is stopped while everybody speaks: all go on to their own end."""
    lines = await asyncio.gather(*(sim.call(f"{server.base}/voice") for _ in range(outcome.calls)))
    for line in lines:
        await line.connected()
    await asyncio.sleep(1.0)
    server.process.send_signal(signal.SIGTERM)

    async def goes_on(line: SimCall) -> str:
        try:
            async with asyncio.timeout(50):
                await line.caller.says(SAID[0])
                await line.caller.hears()
        except Exception as error:
            return f"{line.sid[-4:]}: {type(error).__name__} {error}"
        lost = "" if len(line.streams) == 1 and line.streams[0].end == "" else f"{line.sid[-4:]}: {line.did[-3:]}"
        await line.hangs_up()
        return lost

    outcome.dropped = [why for why in await asyncio.gather(*map(goes_on, lines)) if why]
    try:
        async with asyncio.timeout(30):
            outcome.ended = await server.process.wait()
    except TimeoutError:
        outcome.ended = None


async def measure(kind: str, calls: int, seed: int) -> Outcome:
    outcome = Outcome(kind, calls)
    lexicon = Lexicon()
    for phrase in PHRASES:
        lexicon.speak(phrase)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voiceloop-kill-")))
        url = stack.enter_context(database_url(kind, folder))
        sim = TwilioSim(voice=ScriptedTTS(lexicon))
        async with sim.listening(), Server(folder, url) as server:
            await kill(server, sim, seed, outcome)
            await asyncio.sleep(1.0)
            await drain(server, sim, outcome)
        if outcome.missed:
            print((folder / "log").read_text()[-3000:], file=sys.stderr)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="8 calls, on SQLite")
    parser.add_argument("--json", action="store_true", help="print one JSON object a store")
    options = parser.parse_args()
    calls = 8 if options.smoke else options.calls
    stores = ("sqlite", "postgresql") if options.store == "both" else (options.store,)
    met = True
    for kind in ("sqlite",) if options.smoke else stores:
        outcome = asyncio.run(measure(kind, calls, options.seed))
        print(json.dumps(outcome.as_dict()) if options.json else "\n".join(outcome.lines()), flush=True)
        met = met and not outcome.missed
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
