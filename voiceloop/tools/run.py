"""Running a tool: arguments in, a result for the model out, whatever happens in between."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any

from voiceloop.call import Call
from voiceloop.conversation import ToolResult
from voiceloop.faults import describe, drop_frames
from voiceloop.tools.definition import Tool
from voiceloop.tools.errors import BadArguments, BadResult, ToolError
from voiceloop.tools.results import bounded, text_of
from voiceloop.tools.threads import in_thread

__all__ = ["GRACE", "Outcome", "run"]

GRACE = 1.0
"""Seconds that a tool may take to end when it is cancelled. After that nobody waits for it any more."""
_MESSAGE = 300
"""Characters of an exception that the model is told."""

_held: set[asyncio.Task[Any]] = set()  # tools that end, or swallow their cancellation: a loop keeps no hold of tasks


@dataclass(slots=True, frozen=True)
class Outcome:
    """How a tool went."""

    result: ToolResult
    """For the model."""
    fault: tuple[str, str, str] | None = None
    """What went wrong, for people: a kind to count by, a line, and the traceback if there is one."""
    seconds: float = 0.0
    """How long it took."""


@dataclass(slots=True)
class _Made:
    """What a function did."""

    text: str = ""
    later: Any = None
    """Something to await: a plain function has called an async one."""
    error: BaseException | None = None


async def run(tool: Tool[..., Any], arguments: str = "", *, call: Call | None = None, id: str = "") -> Outcome:
    """Run a tool with what a model gave it.

    An async function runs on the event loop, a plain one in a thread (see `ToolOptions.thread`); in virtual time
    both run on the loop. Nothing that goes wrong is raised; it becomes the outcome. Cancelling cancels an async
    function and waits for its end, at most `GRACE` seconds; a thread cannot be stopped and is left to itself.

    Args:
        tool: what to run.
        arguments: JSON of an object; empty for none.
        call: given to a parameter of the type `Call`.
        id: of the `ToolCall`.

    Raises:
        BadTool: the tool cannot be one (see `Tool.spec`).
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    kind = f"tool.{tool.name}"
    try:
        values = tool.arguments.read(arguments)
    except BadArguments as error:
        return _failed(
            id, f"{tool.name} was not run, its arguments do not fit: {error}", (f"{kind}.arguments", error.wrong, "")
        )
    except Exception as error:  # a validator of the user's own
        return _raised(tool, id, error, 0.0)
    if tool.call_parameter is not None and (call is not None or tool.needs_call):
        if call is None:
            return _failed(
                id, f"{tool.name} was not run: there is no call.", (kind, "it takes the call, and there is none", "")
            )
        values[tool.call_parameter] = call
    task = loop.create_task(_work(tool, values), name=f"tool {tool.name}")
    try:
        await asyncio.wait({task}, timeout=tool.options.timeout)
    except asyncio.CancelledError:
        await _stop(task)
        raise
    finally:
        seconds = loop.time() - start
    if not task.done():
        await _stop(task)
        return _late(tool, id, task, loop.time() - start)
    if task.cancelled():
        return _failed(
            id, f"{tool.name} was cancelled.", (f"{kind}.cancelled", "it was cancelled from within", ""), seconds
        )
    made = task.result()
    if made.error is not None:
        return _raised(tool, id, made.error, seconds)
    return Outcome(ToolResult(id, made.text), None, seconds)


async def _work(tool: Tool[..., Any], values: dict[str, Any]) -> _Made:
    """Call the function. Never raises: an exception in a task would keep its frames."""
    work = partial(_called, tool, values)
    made = await in_thread(work) if tool.in_thread else work()
    if made.later is None:
        return made
    try:
        return _Made(text_of(await made.later, tool.options.limit))
    except (Exception, SystemExit) as error:
        return _Made(error=error)


def _called(tool: Tool[..., Any], values: dict[str, Any]) -> _Made:
    try:
        value = tool.function(**values)
        if inspect.isawaitable(value):
            return _Made(later=value)
        return _Made(text_of(value, tool.options.limit))
    except (Exception, asyncio.CancelledError, SystemExit) as error:  # no tool may end the server
        return _Made(error=error)


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    _held.add(task)
    task.add_done_callback(_held.discard)
    await asyncio.wait({task}, timeout=GRACE)


def _late(tool: Tool[..., Any], id: str, task: asyncio.Task[Any], seconds: float) -> Outcome:
    limit = f"{tool.options.timeout:g} s"
    text = f"{tool.name} gave nothing within {limit} and was given up. Whether it had an effect is not known."
    line = f"nothing came within {limit}"
    if tool.in_thread:
        line += "; its thread goes on, for it cannot be stopped: give what it waits for a time-out of its own"
    elif not task.done():
        line += f"; it goes on, for it swallows cancellation: {task!r:.200}"
    return _failed(id, text, (f"tool.{tool.name}.timeout", line, ""), seconds)


def _raised(tool: Tool[..., Any], id: str, error: BaseException, seconds: float) -> Outcome:
    if isinstance(error, ToolError):
        drop_frames(error)
        return _failed(id, bounded(str(error), tool.options.limit) or f"{tool.name} failed.", None, seconds)
    line, detail = describe(error)
    drop_frames(error)
    if isinstance(error, BadResult):
        line = str(error)
        return _failed(
            id, f"{tool.name} ran, but what it gave back cannot be told.", (f"tool.{tool.name}", line, ""), seconds
        )
    return _failed(id, f"{tool.name} failed: {bounded(line, _MESSAGE)}", (f"tool.{tool.name}", line, detail), seconds)


def _failed(id: str, text: str, fault: tuple[str, str, str] | None, seconds: float = 0.0) -> Outcome:
    return Outcome(ToolResult(id, text, True), fault, seconds)
