"""``voiceloop serve --workers N``: a supervisor that has no bot, no models and no calls keeps N processes at work.

It holds the socket that listens, and each worker takes connections from it. Each worker is a new interpreter.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from voiceloop.runtime import Runtime
from voiceloop.server.claims import WORKERS_VARIABLE
from voiceloop.server.console import say, warn
from voiceloop.server.ending import Stage
from voiceloop.server.listening import bind
from voiceloop.server.observing import MetricsServed, metrics_served
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.server.serve_settings import ServeSettings
from voiceloop.server.shares import forget_share, make_table
from voiceloop.server.supervision import Do, Supervision, SupervisionOptions
from voiceloop.server.worker import CANNOT_START, MAX_LINE, WORKER_VARIABLE, Task, check_not_nested, lines
from voiceloop.twilio.media import Bot

__all__ = ["MOST_WORKERS", "SPARE", "bot_file_of", "supervise"]

MOST_WORKERS: Final = 256
_LOOK: Final = 0.5
"""Seconds between two looks at the workers."""
_STUCK: Final = 2.0
"""Seconds that a worker has to say where it is stuck before it is killed."""
SPARE: Final = 20.0
"""Seconds that a worker may take to end beyond what its calls take."""
_ORDERS: Final = {Stage.DRAIN: "drain", Stage.END: "end", Stage.HURRY: "hurry"}


def bot_file_of(bot: Bot | ModuleType, runtime: Runtime | None, options: PhoneOptions | None) -> str:
    """The file from which workers can import a bot that was given to ``serve``.

    Raises:
        PhoneError: they could not, or would have other options.
    """
    check_not_nested()
    module = bot if isinstance(bot, ModuleType) else sys.modules.get(getattr(bot, "__module__", ""))
    path = getattr(module, "__file__", None)
    if path is None or getattr(module, "bot", None) is not getattr(bot, "bot", bot):
        raise PhoneError(
            "with several workers each imports the bot from its file: it must be a function named bot at the top of "
            f"a file, got {bot!r}"
        )
    if runtime is not None:
        raise PhoneError("with several workers each has a Runtime of its own: leave runtime=… out")
    if options is not None and getattr(module, "options", None) is not options:
        raise PhoneError(
            "with several workers each makes the options by itself: name them options at the top of the bot's file"
        )
    return str(Path(path).absolute())


async def supervise(
    bot: str,
    settings: ServeSettings,
    workers: int,
    *,
    sockets: Sequence[socket.socket] = (),
    setup: str | None = None,
    options: SupervisionOptions | None = None,
) -> int:
    """Keep workers at work until the process is told to stop; returns its exit status.

    SIGTERM: live calls go on to their end or the limit. SIGINT: they end when the agent has finished its sentence. A
    further signal hurries. SIGHUP: all workers are replaced, one after the other, and no call is lost.

    Args:
        bot: the bot's file.
        settings: of the server.
        workers: how many.
        sockets: that listen already; None: as the settings say.
        setup: what is told when the first worker is ready; None: as the worker says.

    Raises:
        PhoneError: the port is taken, or so many workers are not to be had.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise PhoneError(f"expected 1 to {MOST_WORKERS} workers, got {workers}")
    check_not_nested()
    listening = list(sockets) or bind(settings.host, settings.port)
    bot = str(Path(bot).absolute())  # noqa: ASYNC240 - that asks no disk
    folder = tempfile.mkdtemp(prefix="voiceloop-")  # for its owner alone
    try:
        make_table(folder)
        async with AsyncExitStack() as stack:
            metrics = await stack.enter_async_context(metrics_served(settings, folder=f"{folder}/metrics"))
            return await _Supervisor(bot, settings, workers, listening, folder, setup, metrics, options).run()
    finally:
        for each in listening:
            each.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class _Worker:
    number: int
    process: int
    child: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    drain: float = 0.0
    """Seconds that it may take to end."""
    pid: int = 0
    following: set[asyncio.Task[None]] = field(default_factory=set)

    def order(self, what: str) -> None:
        if not self.writer.is_closing():
            self.writer.write(json.dumps({"do": what}).encode() + b"\n")


class _Supervisor:
    """The processes, and what they say; when to do what is the `Supervision`'s."""

    def __init__(
        self,
        bot: str,
        settings: ServeSettings,
        workers: int,
        listening: Sequence[socket.socket],
        folder: str,
        setup: str | None,
        metrics: MetricsServed | None,
        options: SupervisionOptions | None,
    ) -> None:
        self._bot = bot
        self._settings = settings
        self._wanted = workers
        self._listening = listening
        self._folder = folder
        self._setup = setup
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._supervision = Supervision(workers, options)
        self._workers: dict[int, _Worker] = {}
        self._places: dict[int, int] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self._stage = Stage.RUNNING
        self._told_setup = False
        self._told_all = False
        self._told_rolled = True
        self._status = 0
        self._over = asyncio.Event()
        self._do: Mapping[str, Callable[[Do], None]] = {
            "start": self._start,
            "leave": lambda do: self._order(do.process, "leave"),
            "kill": self._kill,
            "tell": lambda do: warn(f"worker {do.slot}: {do.text}"),
            "give up": self._give_up,
        }

    async def run(self) -> int:
        """Work until told to stop."""
        for number, stage in ((signal.SIGTERM, Stage.DRAIN), (signal.SIGINT, Stage.END)):
            self._loop.add_signal_handler(number, self._signalled, stage)
        self._loop.add_signal_handler(signal.SIGHUP, self._roll)
        looking = self._loop.create_task(self._look())
        try:
            self._carry_out(self._supervision.begin(self._loop.time()))
            await self._over.wait()
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            await self._away()
        return self._status

    # --- what happens --------------------------------------------------------------------------------------

    def _carry_out(self, todo: list[Do]) -> None:
        for do in todo:
            self._do[do.what](do)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self._carry_out(self._supervision.look(self._loop.time()))

    def _signalled(self, stage: Stage) -> None:
        following = Stage(min(self._stage + 1, Stage.HURRY)) if self._stage else stage
        self._stop(max(stage, following))

    def _roll(self) -> None:
        if not self._supervision.stopping:
            say("The workers are replaced, one after the other.")
            self._carry_out(self._supervision.roll(self._loop.time()))
            self._told_rolled = False

    def _stop(self, stage: Stage) -> None:
        if stage <= self._stage:
            return
        self._stage = stage
        self._supervision.stop()
        if stage == Stage.DRAIN:
            say("Stopping: no new calls are taken; those on the line go on. A second signal ends them.")
        elif stage == Stage.END:
            say("Stopping: calls end.")
        for worker in list(self._workers.values()):
            self._tell_to_stop(worker)
        self._over_if_alone()

    def _tell_to_stop(self, worker: _Worker) -> None:
        if not worker.drain:  # it is starting: there is nothing to lose
            self._signal(worker, signal.SIGKILL)
            return
        worker.order(_ORDERS[self._stage])
        limit = SPARE + (worker.drain if self._stage == Stage.DRAIN else 0.0)
        self._loop.call_later(limit, self._signal, worker, signal.SIGKILL)

    def _give_up(self, do: Do) -> None:
        warn(f"worker {do.slot}: {do.text}")
        self._status = 1
        self._supervision.stop()
        self._over_if_alone()

    def _over_if_alone(self) -> None:
        if self._supervision.stopping and not self._workers and not self._starting:
            self._over.set()

    # --- the processes -------------------------------------------------------------------------------------

    def _start(self, do: Do) -> None:
        taken = set(self._places.values())
        self._places[do.process] = next(place for place in itertools.count() if place not in taken)
        task = self._loop.create_task(self._live(do), name=f"worker {do.slot}")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        task.add_done_callback(lambda _: self._over_if_alone())

    async def _live(self, do: Do) -> None:
        """One process, from its beginning to its end."""
        worker = None
        status = 1
        try:
            worker, reader = await self._spawn(do)
            self._workers[do.process] = worker
            if self._supervision.stopping:
                self._tell_to_stop(worker)
            listening = self._loop.create_task(self._listen(worker, reader))
            status = await worker.child.wait()
            await asyncio.wait([listening], timeout=_STUCK)  # what it said at last
            listening.cancel()
        except OSError as error:
            warn(f"worker {do.slot}: it cannot be started: {error.strerror or error}")
        finally:
            with suppress(OSError):
                forget_share(self._folder, self._places[do.process])
            del self._places[do.process]
            if worker is not None:
                del self._workers[do.process]
                worker.writer.close()
                if self._metrics is not None:
                    self._metrics.forget(worker.child.pid)
            with suppress(OSError):
                os.unlink(Path(self._folder) / f"{do.process}.sock")
        told = status == CANNOT_START
        self._carry_out(self._supervision.has_ended(do.process, self._loop.time(), _how(status), told=told))

    async def _spawn(self, do: Do) -> tuple[_Worker, asyncio.StreamReader]:
        metrics = self._metrics.environment if self._metrics is not None else {}
        ours, theirs = socket.socketpair()
        try:
            numbers = [each.fileno() for each in self._listening]
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voiceloop.cli.serve_worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), *numbers],
                process_group=0,  # Ctrl-C in a terminal reaches us alone, and we tell them
                env={**os.environ, **metrics, WORKERS_VARIABLE: self._folder, WORKER_VARIABLE: str(do.slot)},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        task = Task(
            bot=self._bot,
            number=do.slot,
            process=do.process,
            sockets=tuple(numbers),
            folder=self._folder,
            workers=self._wanted,
            place=self._places[do.process],
            settings=self._settings,
        )
        writer.write(task.as_json().encode())
        return _Worker(do.slot, do.process, child, writer), reader

    async def _listen(self, worker: _Worker, reader: asyncio.StreamReader) -> None:
        async for message in lines(reader):
            now, process = self._loop.time(), worker.process
            if "beat" in message:
                self._supervision.has_beaten(process, now)
            elif "ready" in message:
                worker.drain = float(message["drain"])
                if self._stage:
                    self._tell_to_stop(worker)
                self._carry_out(self._supervision.is_ready(process, now))
                self._tell_ready(message)
            elif "wants_to_leave" in message:
                self._carry_out(self._supervision.wants_to_leave(process, now))

    def _tell_ready(self, message: Mapping[str, Any]) -> None:
        if not self._told_setup:
            self._told_setup = True
            say(self._setup if self._setup is not None else message["setup"])
            if self._metrics is not None:
                say(f"Metrics: {self._metrics.url}")
            if self._setup is None and not message["transfers"]:
                say("TWILIO_ACCOUNT_SID is not set: calls can be answered, but call.transfer will fail.")
        if not self._told_all and self._supervision.ready == self._wanted:
            self._told_all = True
            say(f"{self._wanted} workers are ready." if self._wanted > 1 else "The worker is ready.")

        if not self._told_rolled and not self._supervision.rolling:
            self._told_rolled = True
            say("All workers are replaced; an old one ends with its last call.")

    def _order(self, process: int, what: str) -> None:
        if (worker := self._workers.get(process)) is not None:
            worker.order(what)
            limit = worker.drain + SPARE
            self._loop.call_later(limit, self._signal, worker, signal.SIGKILL)

    def _kill(self, do: Do) -> None:
        warn(f"worker {do.slot}: {do.text}")
        if (worker := self._workers.get(do.process)) is not None:
            self._signal(worker, signal.SIGABRT)  # it prints where it is
            self._loop.call_later(_STUCK, self._signal, worker, signal.SIGKILL)

    def _signal(self, worker: _Worker, number: signal.Signals) -> None:
        if worker.process in self._workers and worker.child.returncode is None:
            with suppress(ProcessLookupError):
                worker.child.send_signal(number)

    async def _away(self) -> None:
        """Leave no process behind."""
        for worker in list(self._workers.values()):
            self._signal(worker, signal.SIGKILL)
        if self._starting:
            await asyncio.wait(self._starting, timeout=SPARE)


def _how(status: int) -> str:
    """How a process has ended."""
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"
