"""What the simulated Anthropic service refuses of a request, in the real one's words where they are known. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from voiceloop.sim.anthropic_cache import marks
from voiceloop.sim.anthropic_wire import signature

__all__ = ["Invalid", "check"]

_FIELDS = {
    *("model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "stop_sequences", "thinking"),
    *("temperature", "top_p", "top_k", "metadata", "service_tier", "cache_control", "output_config", "speed"),
    *("container", "diagnostics", "inference_geo"),
}
_MARKS = 4
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_BLOCKS = {
    "system": {"text"},
    "user": {"text", "tool_result", "image", "document"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
}
_EMPTY = "all messages must have non-empty content except for the optional final assistant message"


class Invalid(Exception):
    """The request is refused with 400; the text says why."""


def check(body: Mapping[str, Any], *, prefill: bool = False) -> None:
    """Check everything but key and model.

    Args:
        prefill: whether the model goes on with what an assistant is said to have begun. Newer models refuse that.

    Raises:
        Invalid: with the text that the service would answer.
    """
    for name in body:
        _must(name in _FIELDS, f"{name}: Extra inputs are not permitted")
    _must("max_tokens" in body, "max_tokens: Field required")
    limit = body["max_tokens"]
    _must(isinstance(limit, int) and not isinstance(limit, bool), "max_tokens: Input should be a valid integer")
    _must(limit >= 0, "max_tokens: Input should be greater than or equal to 0")
    _check_thinking(body.get("thinking"), limit)
    tools = _check_tools(body.get("tools"))
    _check_system(body.get("system"))
    _must(isinstance(body.get("messages"), list), "messages: Field required")
    _must(body["messages"], "messages: at least one message is required")
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages.{index}", message, final=index == len(body["messages"]) - 1)
    turns = _turns(body["messages"])
    _must(turns[0][0] == "user", 'messages: first message must use the "user" role')
    _check_pairs(turns)
    _must(
        prefill or turns[-1][0] == "user",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    )
    if not tools:
        used = any(block["type"] in ("tool_use", "tool_result") for _, blocks in turns for block in blocks)
        _must(not used, "Requests which include `tool_use` or `tool_result` blocks must define tools")
    _check_marks(body)


def _must(fine: object, otherwise: str) -> None:
    if not fine:
        raise Invalid(otherwise)


def _check_thinking(thinking: Any, limit: int) -> None:
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    known = ("enabled", "disabled", "adaptive", "between_tools")
    _must(kind in known, f"thinking: Input tag {kind!r} does not match any of the expected tags: {', '.join(known)}")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        _must(isinstance(budget, int), "thinking.enabled.budget_tokens: Field required")
        _must(budget >= 1024, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        _must(budget < limit, "`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_tools(tools: Any) -> list[Any]:
    if tools is None:
        return []
    _must(isinstance(tools, list), "tools: Input should be a valid list")
    for index, tool in enumerate(tools):
        where = f"tools.{index}.custom"
        _must(isinstance(tool, dict) and isinstance(tool.get("name"), str), f"{where}.name: Field required")
        pattern = _TOOL_NAME.pattern
        _must(_TOOL_NAME.fullmatch(tool["name"]), f"{where}.name: String should match pattern '^{pattern}$'")
        schema = tool.get("input_schema")
        _must(isinstance(schema, dict), f"{where}.input_schema: Field required")
        _must(schema.get("type") == "object", f"{where}.input_schema.type: Input should be 'object'")
        for name in ("oneOf", "allOf", "anyOf"):
            refusal = f"{where}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            _must(name not in schema, refusal)
    _must(len({tool["name"] for tool in tools}) == len(tools), "tools: Tool names must be unique.")
    return list(tools)


def _check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    _must(isinstance(system, list), "system: Input should be a valid list")
    for index, block in enumerate(system):
        _check_block(f"system.{index}", "system", block)


def _check_message(where: str, message: Any, *, final: bool) -> None:
    _must(isinstance(message, dict), f"{where}: Input should be a valid dictionary")
    extra = sorted(set(message) - {"role", "content"})
    _must(not extra, f"{where}.{extra[0] if extra else ''}: Extra inputs are not permitted")
    role = message.get("role")
    _must(role in ("user", "assistant"), f"{where}: Unexpected role {role!r}. Allowed roles are 'user' or 'assistant'")
    content = message.get("content")
    if isinstance(content, str):
        _must(content or (final and role == "assistant"), f"{where}: {_EMPTY}")
        _must(content.strip() or not content, "messages: text content blocks must contain non-whitespace text")
        return
    _must(isinstance(content, list), f"{where}.content: Input should be a valid list")
    _must(content or (final and role == "assistant"), f"{where}: {_EMPTY}")
    for index, block in enumerate(content):
        _check_block(f"{where}.content.{index}", role, block)


def _check_block(where: str, role: str, block: Any) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    _must(kind in _BLOCKS[role], f"{where}: Input tag {kind!r} is not allowed for the role {role!r}")
    check = _CHECKS.get(str(kind))
    if check is not None:
        check(where, block)


def _check_text(where: str, block: Mapping[str, Any]) -> None:
    _must(isinstance(block.get("text"), str), f"{where}.text.text: Field required")
    _must(block["text"], f"{where.partition('.')[0]}: text content blocks must be non-empty")
    refusal = f"{where.partition('.')[0]}: text content blocks must contain non-whitespace text"
    _must(block["text"].strip(), refusal)


def _check_use(where: str, block: Mapping[str, Any]) -> None:
    name, given = block.get("name"), block.get("id")
    fine = isinstance(given, str) and _TOOL_ID.fullmatch(given)
    _must(fine, f"{where}.tool_use.id: String should match pattern '^{_TOOL_ID.pattern}$'")
    fine = isinstance(name, str) and _TOOL_NAME.fullmatch(name)
    _must(fine, f"{where}.tool_use.name: String should match pattern '^{_TOOL_NAME.pattern}$'")
    _must(isinstance(block.get("input"), dict), f"{where}.tool_use.input: Input should be a valid dictionary")


def _check_result(where: str, block: Mapping[str, Any]) -> None:
    _must(isinstance(block.get("tool_use_id"), str), f"{where}.tool_result.tool_use_id: Field required")
    content = block.get("content", "")
    if isinstance(content, list):
        for index, part in enumerate(content):
            _check_block(f"{where}.tool_result.content.{index}", "user", part)
    failed = block.get("is_error", False)
    _must(isinstance(failed, bool), f"{where}.tool_result.is_error: Input should be a valid boolean")
    _must(content or not failed, f"{where}.tool_result: content cannot be empty if `is_error` is true")


def _check_thought(where: str, block: Mapping[str, Any]) -> None:
    thinking, given = block.get("thinking"), block.get("signature")
    _must(isinstance(thinking, str), f"{where}.thinking.thinking: Field required")
    _must(isinstance(given, str), f"{where}.thinking.signature: Field required")
    _must(given == signature(str(thinking)), f"{where}: Invalid `signature` in `thinking` block")
    _must("cache_control" not in block, f"{where}.thinking.cache_control: Extra inputs are not permitted")


_CHECKS = {"text": _check_text, "tool_use": _check_use, "tool_result": _check_result, "thinking": _check_thought}


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The messages as blocks; those of one role in a row are one."""
    turns: list[tuple[str, list[Mapping[str, Any]]]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if turns and turns[-1][0] == message["role"]:
            turns[-1] = (message["role"], [*turns[-1][1], *blocks])
        else:
            turns.append((message["role"], list(blocks)))
    return turns


def _check_pairs(turns: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
    """Every call has its result at the beginning of the next message, and every result its call."""
    seen: set[str] = set()
    asked: list[str] = []
    for index, (role, blocks) in enumerate(turns):
        if role == "assistant":
            asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
            fine = len(set(asked)) == len(asked) and not seen & set(asked)
            _must(fine, f"messages.{index}: `tool_use` ids must be unique")
            seen.update(asked)
            if not asked or index < len(turns) - 1:
                continue
            blocks = ()
        given = []
        for block in blocks:
            if block["type"] != "tool_result":
                break
            given.append(block["tool_use_id"])
        for place, block in enumerate(blocks):
            unknown = block["type"] == "tool_result" and block["tool_use_id"] not in asked
            _must(
                not unknown,
                f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block in "
                "the previous message.",
            )
        missing = [name for name in asked if name not in given]
        _must(
            not missing,
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message.",
        )
        fine = len(set(given)) == len(given)
        _must(fine, f"messages.{index}: each tool_use must have a single result. Found multiple `tool_result` blocks")
        asked = []


def _check_marks(body: Mapping[str, Any]) -> None:
    found = [mark for _, mark in marks(body)]
    _must(
        len(found) <= _MARKS,
        f"A maximum of {_MARKS} blocks with cache_control may be provided. Found {len(found)}.",
    )
    lifetimes = []
    for mark in found:
        fine = isinstance(mark, dict) and mark.get("type") == "ephemeral"
        _must(fine, "cache_control.type: Input should be 'ephemeral'")
        _must(mark.get("ttl", "5m") in ("5m", "1h"), "cache_control.ttl: Input should be '5m' or '1h'")
        lifetimes.append(mark.get("ttl", "5m"))
    refusal = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
    _must(lifetimes == sorted(lifetimes), refusal)  # '1h' comes before '5m' in the alphabet, too
