"""A worker of ``voiceloop serve --workers N``; its supervisor runs ``python -m voiceloop.cli.serve_worker FD``."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import socket
import sys

from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.server.starting import CannotStart
from voiceloop.server.worker import CANNOT_START, prefix_output, read_task, work

__all__ = ["main"]


def main() -> int:
    """Do the task that comes through the socket with this file descriptor; returns the exit status."""
    faulthandler.enable()  # a supervisor that kills us for being stuck sees where
    supervisor = socket.socket(fileno=int(sys.argv[1]))
    try:
        task = read_task(supervisor)
    except EOFError:
        return 1
    prefix_output(task.number)
    logging.basicConfig(
        level=logging.DEBUG if task.verbose else logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr
    )
    try:
        asyncio.run(work(load_bot(task.bot), task, supervisor))
    except (VoiceloopError, OSError) as error:
        problem = error if isinstance(error, CannotStart) else CannotStart([str(error)])
        print(problem.told, file=sys.stderr, flush=True)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main())
