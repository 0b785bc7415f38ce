"""What OpenAI refuses of a request for an answer, in its words. Pure.

Tried and quoted by many: https://community.openai.com and the issues of openai-python; the rules are those of
https://platform.openai.com/docs/guides/function-calling.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Wrong", "check"]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TOOLS = 128
"""Tools that may be offered at once."""


class Wrong(Exception):
    """A request that is refused with 400."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def check(body: dict[str, Any]) -> None:
    """Raise `Wrong` unless messages, tools and stream options fit together."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise Wrong("Invalid 'messages': expected an array with minimum length 1.", code="empty_array")
    _check_pairs(messages)
    if "tools" in body:
        _check_tools(body["tools"])
    else:
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body:
                raise Wrong(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    if "stream_options" in body and not body.get("stream"):
        raise Wrong("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        return False
    if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
        return False
    calls = message.get("tool_calls")
    if calls is not None and (message["role"] != "assistant" or not isinstance(calls, list) or not calls):
        return False
    return isinstance(message.get("content"), str) or (message.get("content") is None and calls is not None)


def _check_pairs(messages: list[dict[str, Any]]) -> None:
    """Each call of a tool has its result right behind, and each result its call right before."""
    waiting: dict[str, None] = {}
    for index, message in enumerate(messages):
        place = f"messages.[{index}]"
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise Wrong(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    f"{place}.role",
                )
            del waiting[message["tool_call_id"]]
            continue
        _refuse_waiting(waiting, f"{place}.role")
        for call in message.get("tool_calls") or ():
            _check_call(call, f"{place}.tool_calls")
            if call["id"] in waiting:
                raise Wrong(f"Duplicate value for 'tool_call_id' of '{call['id']}'", f"{place}.tool_calls")
            waiting[call["id"]] = None
    _refuse_waiting(waiting, "messages")


def _refuse_waiting(waiting: dict[str, None], param: str) -> None:
    if waiting:
        raise Wrong(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            param,
        )


def _check_call(call: Any, param: str) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    fine = (
        isinstance(function, dict)
        and call.get("type") == "function"
        and isinstance(call.get("id"), str)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )
    if not fine or function is None:
        raise Wrong(f"Invalid type for '{param}': expected a function call.", param, "invalid_type")
    _check_name(function["name"], f"{param}.function.name")


def _check_name(name: str, param: str) -> None:
    if not _NAME.fullmatch(name):
        raise Wrong(
            f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$'.",
            param,
            "invalid_value",
        )


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list) or not 1 <= len(tools) <= TOOLS:
        raise Wrong(f"Invalid 'tools': expected an array with 1 to {TOOLS} items.", "tools")
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        place = f"tools[{index}].function"
        if not isinstance(function, dict):
            raise Wrong(f"Missing required parameter: '{place}'.", place, "missing_required_parameter")
        name, schema = function.get("name"), function.get("parameters", {"type": "object", "properties": {}})
        _check_name(name if isinstance(name, str) else "", f"{place}.name")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            kind = schema.get("type") if isinstance(schema, dict) else schema
            raise Wrong(
                f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got "
                f"'type: {kind!r}'.",
                f"{place}.parameters",
                "invalid_function_parameters",
            )
