"""What Pipecat's frames are in voiceloop, and the reverse: one table for each kind of service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    FunctionCallsStartedFrame,
    LLMContextFrame,
    LLMTextFrame,
    LLMUpdateSettingsFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.processors.aggregators.llm_context import NOT_GIVEN, LLMContext
from pipecat.services.settings import LLMSettings

from voiceloop.conversation import Message, ToolCall
from voiceloop.llm.base import Item, ToolSpec, Usage
from voiceloop.llm.history import OPENING, paired

__all__ = ["context_frame", "context_messages", "instructions", "instructions_frame", "items_of", "lookup"]


def lookup(table: Mapping[type, Any], frame: Frame) -> Any:
    """The entry of the most specific class of a frame; None when there is none."""
    return next((table[cls] for cls in type(frame).__mro__ if cls in table), None)


# --- to a model ---------------------------------------------------------------------------------------------


def instructions(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """What stands before a conversation, and the conversation. Pipecat wants it in the settings of the service."""
    first = next((index for index, message in enumerate(messages) if message.role != "system"), len(messages))
    return "\n\n".join(message.text for message in messages[:first]), messages[first:]


def instructions_frame(text: str | None) -> LLMUpdateSettingsFrame:
    """Give a model its instructions."""
    return LLMUpdateSettingsFrame(delta=LLMSettings(system_instruction=text))


def context_frame(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> LLMContextFrame:
    """A request to a model: Pipecat's universal context, which has OpenAI's form."""
    schema = ToolsSchema(standard_tools=[_schema(tool) for tool in tools]) if tools else NOT_GIVEN
    return LLMContextFrame(LLMContext(context_messages(messages), schema))


def context_messages(messages: Sequence[Message]) -> list[Any]:
    """The conversation in the form of Pipecat's context. What was cut off is not in it; the caller speaks first, which
    some of the services behind it insist on."""
    found = [each for message in paired(messages) for each in _MESSAGES[message.role](message)]
    return [{"role": "user", "content": OPENING}, *found] if not found or found[0]["role"] == "assistant" else found


def _said(message: Message) -> list[dict[str, Any]]:
    return [{"role": message.role, "content": message.text}] if message.text else []


def _answered(message: Message) -> list[dict[str, Any]]:
    if not message.calls:
        return _said(message)
    said: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    said["tool_calls"] = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        for call in message.calls
    ]
    return [said]


def _results(message: Message) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": result.id, "content": f"Error: {result.text}" if result.error else result.text}
        for result in message.results
    ]


_MESSAGES: dict[str, Callable[[Message], list[dict[str, Any]]]] = {
    "system": _said,
    "user": _said,
    "assistant": _answered,
    "tool": _results,
}


def _schema(tool: ToolSpec) -> FunctionSchema:
    parameters = tool.parameters
    return FunctionSchema(
        tool.name, tool.description, dict(parameters.get("properties", {})), list(parameters.get("required", ()))
    )


# --- from a model -------------------------------------------------------------------------------------------


def items_of(frame: Frame) -> Iterable[Item]:
    """What a frame of a model is for `LLM.respond`: nothing, for most kinds."""
    translate: Callable[[Any], Iterable[Item]] | None = lookup(_ITEMS, frame)
    return translate(frame) if translate is not None else ()


def _text(frame: LLMTextFrame) -> Iterable[Item]:
    return () if frame.skip_tts or not frame.text else (frame.text,)


def _calls(frame: FunctionCallsStartedFrame) -> Iterable[Item]:
    for call in frame.function_calls:
        yield ToolCall(call.tool_call_id, call.function_name, json.dumps(dict(call.arguments)))


def _usage(frame: MetricsFrame) -> Iterable[Item]:
    for data in frame.data:
        if isinstance(data, LLMUsageMetricsData):
            tokens = data.value
            yield Usage(
                tokens.prompt_tokens,
                tokens.completion_tokens,
                tokens.cache_read_input_tokens or 0,
                tokens.cache_creation_input_tokens or 0,
            )


_ITEMS: dict[type, Callable[[Any], Iterable[Item]]] = {
    LLMTextFrame: _text,
    FunctionCallsStartedFrame: _calls,
    MetricsFrame: _usage,
}
