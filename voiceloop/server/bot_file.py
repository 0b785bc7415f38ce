"""A bot file that is loaded, warmed, and loaded again when it was edited."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.offload import offload
from voiceloop.runtime import Runtime

__all__ = ["BotError", "BotFile", "Loaded"]

log = logging.getLogger("voiceloop.server")

LOOK = 0.4
"""Seconds between two looks at whether the file was edited."""


class _Edited(Exception):
    """The file was edited while its providers were being warmed."""


@dataclass(frozen=True, slots=True)
class BotError:
    """What is wrong with a bot file, for a person."""

    message: str
    file: str = ""
    """Name of the file, where one is to blame."""
    line: int = 0
    """From 1; 0 when unknown."""
    code: str = ""
    """The text of that line."""


class Loaded:
    """A bot file as it was at one time, with the runtime its calls share."""

    def __init__(self, module: ModuleType, runtime: Runtime) -> None:
        self.module = module
        self.runtime = runtime
        self.calls = 0
        """Calls that run on it now."""
        self.retired = False
        """True once another took its place: it closes when its last call has ended."""

    async def leave(self) -> None:
        """A call of it has ended."""
        self.calls -= 1
        await self._close_if_idle()

    async def retire(self) -> None:
        """Take no more calls."""
        self.retired = True
        await self._close_if_idle()

    async def _close_if_idle(self) -> None:
        if self.retired and self.calls <= 0:
            runtime, self.runtime = self.runtime, Runtime()
            await runtime.aclose()


class BotFile:
    """Loads a bot file, keeps watching it, and loads it again when it, or a module beside it, has changed.

    Args:
        path: the file.
        load: imports it, such as `voiceloop.cli.load.load_bot`.
        prepare: warms its providers, such as `voiceloop.cli.prepare.prepare`.
        substitutes: makes the providers that stand in for the bot's own, anew each time it is loaded.
        tell: called with a line for a person whenever the state has changed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        load: Callable[[str | Path], ModuleType],
        prepare: Callable[[ModuleType, Runtime], Awaitable[None]],
        substitutes: Callable[[], Mapping[type, Any]] = dict,
        tell: Callable[[str], object] = log.info,
    ) -> None:
        self.path = Path(path).absolute()
        self.state = "loading"
        """``loading``, ``ready`` or ``error``."""
        self.error: BotError | None = None
        self.loads = 0
        """How often it was loaded."""
        self._load = load
        self._prepare = prepare
        self._substitutes = substitutes
        self._tell = tell
        self._loaded: Loaded | None = None
        self._beside: set[str] = set()  # names of the modules beside the file that it imports
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._again = True
        self._task: asyncio.Task[None] | None = None

    # --- for the application -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to load, and to watch."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="bot file")

    async def aclose(self) -> None:
        """Stop watching, and close the providers."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._loaded is not None:
            loaded, self._loaded = self._loaded, None
            loaded.calls = 0
            await loaded.retire()

    def enter(self) -> Loaded | None:
        """A call begins: what it runs on; None when nothing is ready. Pair it with `Loaded.leave`."""
        if self.state != "ready" or self._loaded is None or self._changed():
            return None
        self._loaded.calls += 1
        return self._loaded

    def load_again(self) -> None:
        """Load it at the next look, though it was not edited: a key was set, a package installed."""
        self._again = True

    def as_dict(self) -> dict[str, Any]:
        """The state as plain values."""
        return {
            "bot": self.path.name,
            "state": self.state,
            "loads": self.loads,
            "error": asdict(self.error) if self.error is not None else None,
        }

    # --- inside --------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            if self._again or self._changed():
                await self._load_now()
            await asyncio.sleep(LOOK)

    async def _load_now(self) -> None:
        self.state, self.error, self._again = "loading", None, False
        self.loads += 1
        self._stamps = {file: _stamp(file) for file in self._files()}  # before: what is saved from now on is a change
        loaded: Loaded | None = None
        try:
            module = await offload(self._import)  # a file that takes long to import must not stop the page
            if self._loaded is not None:
                old, self._loaded = self._loaded, None
                await old.retire()
            loaded = Loaded(module, Runtime(substitutes=dict(self._substitutes())))
            await self._prepared(loaded)
        except _Edited:
            self._again = True
        except (Exception, SystemExit) as error:
            self.error, self.state = _blame(error, self.path), "error"
            where = f"{self.error.file}:{self.error.line}: " if self.error.line else ""
            self._tell(f"{where}{self.error.message}")
        else:
            self._loaded, self.state, loaded = loaded, "ready", None
            self._tell(f"{self.path.name} is ready.")
        finally:
            if loaded is not None:
                await loaded.retire()

    async def _prepared(self, loaded: Loaded) -> None:
        """Warm and rehearse; given up when the file is edited meanwhile."""
        task = asyncio.ensure_future(self._prepare(loaded.module, loaded.runtime))
        try:
            while not task.done():
                await asyncio.wait([task], timeout=LOOK)
                if not task.done() and (self._again or self._changed()):
                    raise _Edited
            task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    def _import(self) -> ModuleType:
        for name in self._beside:
            sys.modules.pop(name, None)
        before, written = set(sys.modules), sys.dont_write_bytecode
        # Compiled files are known by their time in whole seconds: an edit within one would go unseen.
        sys.dont_write_bytecode = True
        try:
            return self._load(self.path)
        finally:
            sys.dont_write_bytecode = written
            new = {name for name in set(sys.modules) - before if self._is_beside(sys.modules[name])}
            self._beside = self._beside & set(sys.modules) | new

    def _is_beside(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return bool(file) and _is_inside(str(file), self.path.parent)

    def _files(self) -> list[Path]:
        beside = (getattr(sys.modules.get(name), "__file__", None) for name in self._beside)
        return sorted({self.path, *(Path(file) for file in beside if file)})

    def _changed(self) -> bool:
        """Whether a file is not what it was when it was first looked at since the last load."""
        for file in self._files():
            now = _stamp(file)
            if self._stamps.setdefault(file, now) != now:
                return True
        return False


def _stamp(file: Path) -> tuple[int, int]:
    """Time and size of a file; zeros when there is none."""
    try:
        stat = file.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size


def _blame(error: BaseException, path: Path) -> BotError:
    """The file and line an error comes from, as far as it is the bot's own."""
    cause: BaseException = error
    while isinstance(cause, VoiceloopError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, SyntaxError) and cause.filename and cause.lineno:
        message = f"{type(cause).__name__}: {cause.msg}"
        return BotError(message, Path(cause.filename).name, cause.lineno, (cause.text or "").strip())
    message = str(cause) if isinstance(cause, VoiceloopError) else describe(cause)[0]
    if isinstance(cause, SystemExit):
        message = f"the file ends the program when it is imported ({message})"
    trace = extract_tb(cause.__traceback__)
    own = [frame for frame in trace if Path(frame.filename) == path]
    own = own or [frame for frame in trace if _is_inside(frame.filename, path.parent)]
    if own:
        return BotError(message, Path(own[-1].filename).name, own[-1].lineno or 0, (own[-1].line or "").strip())
    return BotError(message, path.name)


def _is_inside(file: str, folder: Path) -> bool:
    return folder in Path(file).parents and "site-packages" not in file
