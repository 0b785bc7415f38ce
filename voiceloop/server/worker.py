"""One worker: a process of its own that answers on sockets it shares, and does what its supervisor says."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from voiceloop.loopnoise import without_noise
from voiceloop.observe.logs import is_json
from voiceloop.runtime import Runtime
from voiceloop.server.ending import Ending, Stage
from voiceloop.server.garbage import collecting_seldom, set_aside
from voiceloop.server.observing import observed
from voiceloop.server.phone import Phone
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.server.serve_settings import ServeSettings
from voiceloop.server.shares import PLACES, Shares, table_of
from voiceloop.server.siblings import Siblings

__all__ = ["CANNOT_START", "MAX_LINE", "Task", "options_of", "read_task", "work"]

CANNOT_START: Final = 78
"""Exit status of a worker that has said why it cannot start (EX_CONFIG of ``sysexits.h``)."""
MAX_LINE: Final = 64 * 1024
"""Bytes of one message between a worker and its supervisor."""
BEAT: Final = 1.0
"""Seconds between two heartbeats."""
_STAGES: Final = {"leave": Stage.LEAVE, "drain": Stage.DRAIN, "end": Stage.END, "hurry": Stage.HURRY}


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to do: the first thing it is told."""

    bot: str
    """The bot's file."""
    number: int
    """From 1; a process that takes another's place has the same."""
    process: int
    """Counts the processes from 1."""
    sockets: tuple[int, ...]
    """File descriptors of the sockets that listen."""
    folder: str
    """What the workers of a server share."""
    workers: int
    """How many there are."""
    place: int
    """In the table of what each has on the line."""
    settings: ServeSettings

    def as_json(self) -> str:
        """One line."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "settings"}
        return json.dumps({**values, "settings": self.settings.as_dict()}) + "\n"

    @classmethod
    def of_json(cls, text: str | bytes) -> Task:
        """Again from the line."""
        values: dict[str, Any] = json.loads(text)
        sockets, settings = tuple(values.pop("sockets")), ServeSettings.of_dict(values.pop("settings"))
        return cls(**values, sockets=sockets, settings=settings)


def read_task(supervisor: socket.socket) -> Task:
    """Wait for the task.

    Raises:
        EOFError: the supervisor is gone.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = supervisor.recv(1)  # not more: what follows is read by the loop
        if not byte:
            raise EOFError
        line += byte
    return Task.of_json(bytes(line))


def options_of(module: ModuleType) -> PhoneOptions | None:
    """The `PhoneOptions` that a bot's file has at its top, named ``options``."""
    options = getattr(module, "options", None)
    return options if isinstance(options, PhoneOptions) else None


async def work(module: ModuleType, task: Task, supervisor: socket.socket) -> None:
    """Answer the phone until the supervisor says that it is enough, or is gone.

    Raises:
        VoiceloopError: it cannot start.
    """
    without_noise(asyncio.get_running_loop())
    reader, writer = await asyncio.open_unix_connection(sock=supervisor, limit=MAX_LINE)
    tie = _Tie(reader, writer)
    listening = [socket.socket(fileno=number) for number in task.sockets]
    siblings = Siblings(task.folder, str(task.process), keeps_records=task.settings.store is not None)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tie.aclose)
        runtime = await stack.enter_async_context(Runtime(console=not is_json()))

        async def before(phone: Phone) -> None:
            phone.load.workers = task.workers
            await stack.enter_async_context(siblings.join(phone))
            await stack.enter_async_context(observed(phone, task.settings))
            await stack.enter_async_context(collecting_seldom(lambda: bool(phone.calls)))

        served = await stack.enter_async_context(
            serving_phone(
                module,
                host=task.settings.host,
                runtime=runtime,
                options=task.settings.options(options_of(module)),
                store=task.settings.store,
                recordings=task.settings.recording,
                sockets=listening,
                before=before,
                warmed=set_aside,
            )
        )
        phone = served.phone
        if served.entrance is not None and task.place < PLACES:
            table = table_of(task.folder)
            served.entrance.share(Shares(table, task.place, lambda: len(phone.calls), lambda: is_full(phone)))
        # Whoever takes a stream's connection has the call. So none is kept behind an answer: a proxy would send a
        # stream by it, to a worker that was chosen for a webhook.
        served.leaving = True
        ending = Ending()
        tie.obey(ending)
        options = phone.options
        tie.say(
            ready=True,
            setup=served.setup,
            transfers=options.carrier is not None,
            drain=options.drain + options.last_words,
        )
        await ending.carried_out(phone, served.leave)


def is_full(phone: Phone) -> bool:
    """Whether it would refuse a further call: then it leaves what comes to other workers that have room."""
    return phone.full or (phone.options.load.refuse and phone.load.look())


class _Tie:
    """The line between a worker and its supervisor: JSON, one message a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tasks: list[asyncio.Task[None]] = []

    def say(self, **what: Any) -> None:
        if not self._writer.is_closing() and self._writer.transport.get_write_buffer_size() < MAX_LINE:
            self._writer.write(json.dumps(what).encode() + b"\n")

    def obey(self, ending: Ending) -> None:
        """Do what the supervisor says from now on, and have it hear the heartbeat."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._beat()), loop.create_task(self._listen(ending))]
        import signal

        # Who tells us alone to end tells the supervisor, which has another one ready first.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: self.say(wants_to_leave=True))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _beat(self) -> None:
        while True:
            self.say(beat=True)
            await asyncio.sleep(BEAT)

    async def _listen(self, ending: Ending) -> None:
        async for message in lines(self._reader):
            stage = _STAGES.get(message.get("do", ""))
            if stage is not None:
                ending.reach(stage)
        ending.reach(Stage.LEAVE)  # the supervisor is gone, and another one will want the port


async def lines(reader: asyncio.StreamReader) -> AsyncIterator[Mapping[str, Any]]:
    """The messages of the other side, until it is gone."""
    while True:
        try:
            line = await reader.readline()
        except (ConnectionError, ValueError):
            return
        if not line.endswith(b"\n"):
            return
        with suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict):
                yield message


def check_not_nested() -> None:
    """A bot's file that serves when it is imported would serve again in each worker.

    Raises:
        PhoneError: this process is a worker.
    """
    if os.environ.get(WORKER_VARIABLE):
        raise PhoneError(
            'the bot\'s file calls serve(…) when it is imported: put it behind if __name__ == "__main__":, since each '
            "worker imports the file"
        )


WORKER_VARIABLE: Final = "VOICELOOP_WORKER"
"""Set in a worker to its number."""
