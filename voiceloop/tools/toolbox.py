"""The tools of one conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from voiceloop.call import Call
from voiceloop.conversation import ToolCall, ToolResult
from voiceloop.llm.base import ToolSpec
from voiceloop.tools.definition import Tool, as_tool
from voiceloop.tools.errors import BadTool, quoted
from voiceloop.tools.run import Outcome, run

__all__ = ["Toolbox"]


class Toolbox:
    """Tools by their names.

    Args:
        tools: functions, or whatever `as_tool` takes.

    Raises:
        BadTool: one of them cannot be a tool, or two have the same name.
    """

    def __init__(self, tools: Iterable[Any] = ()) -> None:
        if isinstance(tools, Tool) or not isinstance(tools, Iterable):
            raise BadTool(f"expected a list of tools, got {tools!r:.80}: write [{getattr(tools, '__name__', '…')}]")
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in map(as_tool, tools):
            if each.name in self._tools:
                raise BadTool(f"two tools have the name {each.name!r}: rename one, as in tool({each.name}, name='…')")
            self._tools[each.name] = each
        self.specs: tuple[ToolSpec, ...] = tuple(each.spec for each in self)
        """What a model is told, in the order given."""

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def get(self, name: str) -> Tool[..., Any] | None:
        """The tool of this name, if there is one."""
        return self._tools.get(name)

    async def run(self, asked: ToolCall, call: Call | None = None) -> Outcome:
        """Run what a model asked for. Nothing that goes wrong is raised; see `run`."""
        tool = self._tools.get(asked.name)
        if tool is not None:
            return await run(tool, asked.arguments, call=call, id=asked.id)
        names = ", ".join(self._tools) or "none"
        line = f"there is no tool {quoted(asked.name)!r}; there are: {names}"
        return Outcome(ToolResult(asked.id, f"Nothing was run: {line}.", True), ("tool.unknown", line, ""))
