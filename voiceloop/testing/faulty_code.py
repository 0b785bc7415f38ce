"""Tools and handlers of the user's own that raise, hold the loop, or never end."""

from __future__ import annotations

import asyncio
import functools
import inspect
import weakref
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from voiceloop.call import Call
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.line_stalls import stall
from voiceloop.testing.faulty_common import Injector
from voiceloop.testing.faulty_faults import CodeFault, HandlerFault, ToolFault
from voiceloop.tools.definition import Tool, as_tool

__all__ = ["FaultyCode", "FaultyTool", "break_bot", "break_handlers", "hold_loop", "own_handlers", "own_tools"]

HUGE = 200_000
"""Characters of a huge result."""
_WAITING = ("slow", "hang", "deaf")
_LIFE = ("start", "stop")


class FaultyCode(Injector):
    """Faults of the user's own code, and what became of them.

    Args:
        faults: what goes wrong. Of several for one call the first one happens.
    """

    def __init__(self, faults: Iterable[CodeFault]) -> None:
        super().__init__()
        self.faults = tuple(faults)
        self._counts = [0] * len(self.faults)

    def meet(self, called: Callable[[CodeFault], bool]) -> CodeFault | None:
        """Something is called: what goes wrong with it now.

        Args:
            called: whether a fault is one of what is called.
        """
        found: CodeFault | None = None
        for index, fault in enumerate(self.faults):
            if not called(fault):
                continue
            number, self._counts[index] = self._counts[index], self._counts[index] + 1
            if found is None and fault.number in (None, number):
                found = fault
        if found is not None:
            self.note(found)
        return found

    def strike(self, fault: CodeFault) -> None:
        """What happens at once."""
        if fault.what == "raise":
            raise RuntimeError("broken, as told")
        if fault.what == "cancelled":
            raise asyncio.CancelledError
        if fault.what == "exit":
            raise SystemExit("as told")
        if fault.what == "block":
            hold_loop(fault.seconds)

    async def linger(self, fault: CodeFault) -> None:
        """What takes its time."""
        if fault.what == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.what == "hang":
            await self.wait()
        elif fault.what == "deaf":
            await self.wait_deaf(fault.seconds)


def hold_loop(seconds: float) -> None:
    """Stand still: in virtual time the clock moves and nothing runs; on an ordinary loop the thread waits."""
    stall(asyncio.get_running_loop(), seconds)


# --- tools --------------------------------------------------------------------------------------------------


class FaultyTool(Tool[..., Any]):
    """A tool of which some calls go wrong. A model sees no difference.

    Args:
        tool: a function, or whatever `as_tool` takes.
        faults: what goes wrong; those of tools of other names are passed over.
    """

    def __init__(self, tool: Any, faults: Iterable[ToolFault] | FaultyCode = ()) -> None:
        self.inner: Tool[..., Any] = as_tool(tool)
        self.code = faults if isinstance(faults, FaultyCode) else FaultyCode(faults)
        """What went wrong so far is in its `injected`; `let_go` ends what is deaf."""
        super().__init__(self.inner.function, self.inner.options)
        self.name = self.inner.name
        self.function = self._async if inspect.iscoroutinefunction(self.inner.function) else self._plain

    @property
    def in_thread(self) -> bool:
        """As the tool itself."""
        return self.inner.in_thread

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return FaultyTool(self.inner.__get__(instance, owner), self.code)

    def _read(self) -> Any:
        return self.inner._read()

    def _mine(self, fault: CodeFault) -> bool:
        return isinstance(fault, ToolFault) and fault.tool in ("", self.name)

    def _plain(self, *args: Any, **kwargs: Any) -> Any:
        fault = self.code.meet(self._mine)
        if fault is None:
            return self.inner.function(*args, **kwargs)
        if fault.what in _WAITING:
            return self._later(fault, *args, **kwargs)
        self.code.strike(fault)
        return self._given(fault, lambda: self.inner.function(*args, **kwargs))

    async def _later(self, fault: CodeFault, *args: Any, **kwargs: Any) -> Any:
        await self.code.linger(fault)
        result = self.inner.function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def _async(self, *args: Any, **kwargs: Any) -> Any:
        fault = self.code.meet(self._mine)
        if fault is None:
            return await self.inner.function(*args, **kwargs)
        if fault.what in _WAITING:
            return await self._later(fault, *args, **kwargs)
        self.code.strike(fault)
        result = self._given(fault, lambda: self.inner.function(*args, **kwargs))
        return await result if inspect.isawaitable(result) else result

    def _given(self, fault: CodeFault, made: Callable[[], Any]) -> Any:
        odd = {"odd result": object(), "huge result": "x" * HUGE}
        return odd[fault.what] if fault.what in odd else made()


def own_tools(pipeline: Pipeline) -> dict[str, Tool[..., Any]]:
    """The tools of a pipeline's models that are not the library's own (`Call.hang_up` is), by their names."""
    found = {}
    for box in _toolboxes(pipeline):
        for name, tool in box.items():
            if not _of_library(getattr(tool, "__module__", None)):
                found[name] = tool
    return found


def _toolboxes(pipeline: Pipeline) -> list[dict[str, Tool[..., Any]]]:
    runners = [getattr(processor, "_tools", None) for processor in pipeline]
    boxes = [getattr(runner, "_toolbox", None) for runner in runners]
    return [box._tools for box in boxes if box is not None]


def _of_library(module: str | None) -> bool:
    return module is not None and (module == "voiceloop" or module.startswith("voiceloop."))


# --- handlers -----------------------------------------------------------------------------------------------


def own_handlers(processor: Processor) -> list[str]:
    """The handlers of a processor that are written outside the library, in the order of their names."""
    return [name for name, handler in type(processor)._handlers.items() if not _of_library(handler.owner.__module__)]


def break_handlers(processor: Processor, faults: Iterable[HandlerFault] | FaultyCode) -> FaultyCode:
    """Make handlers of a processor go wrong. To be done before its pipeline runs.

    A fault that names no processor happens to handlers that are written outside the library only. One that names no
    handler and needs an async one passes plain ones over.

    Args:
        processor: of any class.
        faults: what goes wrong; those of other processors are passed over.

    Raises:
        ValueError: a fault names a handler of this processor that there is not, or a plain one that is to wait.
    """
    code = faults if isinstance(faults, FaultyCode) else FaultyCode(faults)
    wanted = set[str]()
    for fault in code.faults:
        if isinstance(fault, HandlerFault) and fault.processor in ("", processor.name):
            wanted.update(_names(processor, fault))
    for name in sorted(wanted):
        setattr(processor, name, _handler(processor, name, code))
    return code


def _names(processor: Processor, fault: HandlerFault) -> list[str]:
    """The handlers that a fault may happen to."""
    if not fault.handler:
        return own_handlers(processor)
    life = (name for name in _LIFE if getattr(type(processor), name) is not getattr(Processor, name))
    known = (*type(processor)._handlers, *life)
    if fault.handler not in known:
        if not fault.processor:
            return []
        raise ValueError(f"{processor.name} has no handler {fault.handler!r}; it has {', '.join(known)}")
    if not fault.processor and _of_library(getattr(type(processor), fault.handler).__module__):
        return []
    if fault.what in _WAITING and not _is_async(processor, fault.handler):
        raise ValueError(f"{processor.name}.{fault.handler} is a plain def and cannot wait; {fault.what!r} needs async")
    return [fault.handler]


def _is_async(processor: Processor, name: str) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(getattr(type(processor), name)))


def _handler(processor: Processor, name: str, code: FaultyCode) -> Callable[..., Any]:
    """A handler that may go wrong, to be kept by the processor itself: so it must not hold it."""
    function: Callable[..., Any] = getattr(type(processor), name)
    waits, life = _is_async(processor, name), name in _LIFE
    whose, target, own = processor.name, weakref.ref(processor), not _of_library(function.__module__)

    def called(fault: CodeFault) -> bool:
        if not isinstance(fault, HandlerFault) or fault.processor not in ("", whose):
            return False
        if fault.what in _WAITING and not waits:
            return False
        if not fault.processor and not own:
            return False
        return fault.handler == name if fault.handler else not life

    @functools.wraps(function)
    def plain(*args: Any) -> Any:
        fault = code.meet(called)
        if fault is not None:
            code.strike(fault)
        return function(target(), *args)

    @functools.wraps(function)
    async def later(*args: Any) -> Any:
        fault = code.meet(called)
        if fault is not None:
            code.strike(fault)
            await code.linger(fault)
        return await function(target(), *args)

    return later if waits else plain


# --- a whole bot --------------------------------------------------------------------------------------------


def break_bot(
    bot: Callable[[Call], Any], faults: Iterable[CodeFault] | FaultyCode
) -> tuple[Callable[[Call], Awaitable[Pipeline]], FaultyCode]:
    """A bot whose own tools and handlers go wrong. Calls are counted over all its phone calls.

    Returns:
        The bot, and what keeps what went wrong.
    """
    code = faults if isinstance(faults, FaultyCode) else FaultyCode(faults)
    tools = {fault.tool for fault in code.faults if isinstance(fault, ToolFault)}

    @functools.wraps(bot)
    async def broken(call: Call) -> Pipeline:
        made = bot(call)
        pipeline: Pipeline = await made if inspect.isawaitable(made) else made
        own = own_tools(pipeline)
        for box in _toolboxes(pipeline):
            for name, tool in box.items():
                if name in tools or ("" in tools and name in own):
                    box[name] = FaultyTool(tool, code)
        for processor in pipeline:
            break_handlers(processor, code)
        return pipeline

    return broken, code
