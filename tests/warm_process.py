"""A process of Python that has imported what most children of tests import, and forks one for each that is asked for.

It is started by ``tests/warm.py``. What it reads, a line of JSON each, is a child to run; what it writes is the number
of its process and then, when it has ended, its status.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

# Not the modules of plugins: pytest has to see them come.
MODULES = (
    "voiceloop.testing",
    "voiceloop.testing.book",
    "voiceloop.testing.chaos.run",
    "voiceloop.testing.failure",
    "voiceloop.testing.failure_files",
    "voiceloop.testing.running",
    "voiceloop.record.picture",
    "voiceloop.twilio.aiohttp_socket",
    "voiceloop.llm.llamacpp",
    "voiceloop.stt.moonshine",
    "voiceloop.tts.hibari",
    "voiceloop.vad.silero",
)


def main() -> None:
    own = sys.path[1:]  # without the folder of this script
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    from _pytest.config import default_plugins

    for name in (*(f"_pytest.{plugin}" for plugin in default_plugins), *MODULES):
        with suppress(ImportError):  # of an extra that is not installed
            import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        if not (child := os.fork()):
            answers.close()
            sys.exit(run(asked, own))
        print(child, file=answers)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers)


def run(asked: dict[str, Any], own: list[str]) -> object:
    """Be the child: the program in its folder, with its environment. Returns the status to end with."""
    os.setsid()
    for number, name, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY),
        (2, asked["err"], os.O_WRONLY),
    ):
        opened = os.open(name, how)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    added = [path for path in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    script = asked["program"].endswith(".py")
    first = os.path.dirname(os.path.abspath(asked["program"])) if script else asked["cwd"]
    sys.path[:] = [first, *added, *(path for path in own if path not in added)]
    sys.argv[:] = [asked["program"], *asked["arguments"]]
    try:
        if script:
            runpy.run_path(asked["program"], run_name="__main__")
        else:
            runpy.run_module(asked["program"], run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
