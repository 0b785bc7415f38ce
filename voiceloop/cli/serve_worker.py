"""A worker of ``voiceloop serve --workers N``; its supervisor runs ``python -m voiceloop.cli.serve_worker FD``."""

from __future__ import annotations

import faulthandler
import socket
import sys

from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.server import event_loop
from voiceloop.server.console import complain
from voiceloop.server.observing import logged
from voiceloop.server.outlet import unheld_output
from voiceloop.server.worker import CANNOT_START, Task, read_task, work

__all__ = ["main"]


def main() -> int:
    """Do the task that comes through the socket with this file descriptor; returns the exit status."""
    faulthandler.enable()  # a supervisor that kills us for being stuck sees where
    supervisor = socket.socket(fileno=int(sys.argv[1]))
    try:
        task = read_task(supervisor)
    except EOFError:
        return 1
    prefix = f"[{task.number}] " if task.settings.log == "text" else ""
    with unheld_output(prefix), logged(task.settings, worker=str(task.number)):
        return _work(task, supervisor)


def _work(task: Task, supervisor: socket.socket) -> int:
    try:
        event_loop.run(work(load_bot(task.bot), task, supervisor))
    except (VoiceloopError, OSError) as error:
        complain(error)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main())
