"""What Pipecat's frames are in voiceloop, and the reverse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    FunctionCallsStartedFrame,
    LLMTextFrame,
    LLMThoughtTextFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData, TTFBMetricsData

from voiceloop.audio import mulaw
from voiceloop.bridges.pipecat_frames import context_messages, instructions, items_of
from voiceloop.bridges.pipecat_island import MediaClock
from voiceloop.bridges.pipecat_speech import SpeechReader
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.base import Item, Usage

CALL = ToolCall("1", "price", '{"drink": "tea"}')


@pytest.mark.parametrize(
    ("frame", "items"),
    [
        (LLMTextFrame(" tea"), [" tea"]),
        (LLMTextFrame(""), []),
        (LLMThoughtTextFrame("hm"), []),
        (FunctionCallsStartedFrame([FunctionCallFromLLM("price", "1", {"drink": "tea"}, None)]), [CALL]),
        (
            MetricsFrame(
                [
                    TTFBMetricsData(processor="x", value=0.3),
                    LLMUsageMetricsData(
                        processor="x",
                        value=LLMTokenUsage(
                            prompt_tokens=7, completion_tokens=3, total_tokens=10, cache_read_input_tokens=5
                        ),
                    ),
                ]
            ),
            [Usage(7, 3, 5)],
        ),
    ],
)
def test_frames_of_a_model(frame: Frame, items: list[Item]) -> None:
    assert list(items_of(frame)) == items


def test_text_that_shall_not_be_spoken_is_not() -> None:
    frame = LLMTextFrame("hidden")
    frame.skip_tts = True
    assert list(items_of(frame)) == []


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], [{"role": "user", "content": "Hello?"}]),
        ([Message("user", "Hi.")], [{"role": "user", "content": "Hi."}]),
        (
            [Message("assistant", "Shop, hi!", "you are", interrupted=True), Message("user", "Tea.")],
            [
                {"role": "user", "content": "Hello?"},
                {"role": "assistant", "content": "Shop, hi!"},
                {"role": "user", "content": "Tea."},
            ],
        ),
        (
            [Message("user", "Tea."), Message("assistant", "", calls=(CALL,))],
            [
                {"role": "user", "content": "Tea."},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "1", "type": "function", "function": {"name": "price", "arguments": CALL.arguments}}
                    ],
                },
                {"role": "tool", "tool_call_id": "1", "content": "Error: cancelled"},
            ],
        ),
    ],
)
def test_a_conversation_as_pipecats_context(messages: list[Message], told: list[dict[str, Any]]) -> None:
    assert context_messages(messages) == told


def test_instructions_are_taken_from_the_beginning_only() -> None:
    talk = [Message("user", "Hi."), Message("system", "Late.")]
    assert instructions([Message("system", "A."), Message("system", "B."), *talk]) == ("A.\n\nB.", talk)
    assert instructions(talk) == ("", talk)


@given(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_call_of_a_tool_comes_back_as_it_went(name: str, arguments: dict[str, Any]) -> None:
    frame = FunctionCallsStartedFrame([FunctionCallFromLLM(name, "1", arguments, None)])
    (call,) = items_of(frame)
    assert isinstance(call, ToolCall)
    (asked, given) = context_messages(
        [
            Message("user", "x"),
            Message("assistant", "", calls=(call,)),
            Message("tool", "", results=(ToolResult("1", "y"),)),
        ]
    )[1:]
    function = asked["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == (name, arguments)
    assert (given["tool_call_id"], given["content"]) == ("1", "y")


def read(reader: SpeechReader, *frames: Frame) -> tuple[bytes, list[tuple[str, float, float]]]:
    pieces = [speech for frame in frames if (speech := reader.read(frame))]
    pieces += [rest] if (rest := reader.end()) else []
    words = [(word.text, round(word.start, 3), round(word.end, 3)) for piece in pieces for word in piece.words]
    return b"".join(piece.audio for piece in pieces), words


def tone(seconds: float, rate: int = 8000, channels: int = 1, level: int = 8000) -> TTSAudioRawFrame:
    samples = level * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 440 / rate)
    audio = np.repeat(samples.astype("<i2"), channels).tobytes()
    return TTSAudioRawFrame(audio=audio, sample_rate=rate, num_channels=channels, context_id="1")


def word(text: str, at: float | None, clock: MediaClock) -> TTSTextFrame:
    frame = TTSTextFrame(text, text_type="word")
    frame.pts = None if at is None else clock.began + round(at * 1e9)
    return frame


@pytest.fixture
def clock() -> MediaClock:
    clock = MediaClock()
    clock.begin()
    return clock


@given(st.binary(max_size=400))
def test_every_audio_is_read_as_mu_law_of_the_same_samples(data: bytes) -> None:
    clock = MediaClock()
    clock.begin()
    frame = TTSAudioRawFrame(audio=data, sample_rate=8000, num_channels=1, context_id="1")
    audio, _ = read(SpeechReader(clock), frame)
    assert audio == mulaw.encode(np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2"))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (16000, 1), (24000, 1), (22050, 1)])
def test_audio_of_any_rate_and_of_two_channels_is_as_long_and_as_loud(
    clock: MediaClock, rate: int, channels: int
) -> None:
    audio, _ = read(SpeechReader(clock), *(tone(0.5, rate, channels) for _ in range(2)))
    assert len(audio) == pytest.approx(8000, abs=2)
    assert np.abs(mulaw.decode(audio)).max() == pytest.approx(8000, rel=0.05)


def test_words_end_with_their_sound_or_where_the_next_begins(clock: MediaClock) -> None:
    quiet = tone(0.25, level=0)
    frames = [
        word("one", 0.0, clock),
        tone(0.25),
        quiet,
        word("two", 0.5, clock),
        tone(0.5),
        word("three", 0.75, clock),
    ]
    _, words = read(SpeechReader(clock), *frames, quiet)
    assert words == [("one", 0.0, 0.25), ("two", 0.5, 0.75), ("three", 0.75, 1.0)]


def test_words_at_one_stamp_share_its_time(clock: MediaClock) -> None:
    _, words = read(SpeechReader(clock), tone(1.0), word("one", 0.0, clock), word("two three", 0.0, clock))
    assert [text for text, _, _ in words] == ["one", "two", "three"]
    assert [start for _, start, _ in words] == pytest.approx([0, 1 / 3, 2 / 3], abs=0.002)


def test_words_without_a_stamp_or_behind_the_audio_are_not_told(clock: MediaClock) -> None:
    _, words = read(
        SpeechReader(clock), tone(0.5), word("one", None, clock), word("two", 0.1, clock), word("far", 9, clock)
    )
    assert [text for text, _, _ in words] == ["two"]


def test_a_context_that_was_begun_and_not_ended_is_not_whole(clock: MediaClock) -> None:
    reader = SpeechReader(clock)
    for frame, whole in [
        (TTSStartedFrame(context_id="1"), False),
        (TTSStartedFrame(context_id="2"), False),
        (TTSStoppedFrame(context_id="1"), False),
        (TTSStoppedFrame(context_id="2"), True),
        (TTSStartedFrame(context_id="3"), False),
        (TTSStoppedFrame(), True),
    ]:
        reader.read(frame)
        assert reader.whole is whole


def test_the_clock_counts_audio_and_begins_each_answer_behind_everything() -> None:
    clock = MediaClock()
    clock.start()
    clock.begin()
    began = clock.began
    clock.advance(1.5)
    assert clock.get_time() - began == 1_500_000_000
    clock.advance(1.0)
    assert clock.get_time() - began == 1_500_000_000  # it never goes back
    clock.seen(began + 9_000_000_000)
    clock.begin()
    assert clock.began == clock.get_time() > began + 9_000_000_000
