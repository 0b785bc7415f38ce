"""The stream of an OpenAI-compatible server: events out of bytes, text out of events, thoughts left out."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.errors import ModelError, quoted
from voiceloop.llm.base import Usage
from voiceloop.llm.openai_stream import EVENT_LIMIT, AnswerReader, Event, EventStream, error_text
from voiceloop.llm.openai_thoughts import Thoughts


def events(*chunks: bytes) -> list[Event]:
    stream = EventStream()
    return [event for chunk in chunks for event in stream.feed(chunk)] + stream.end()


def texts(*chunks: bytes) -> list[str]:
    return [event.data for event in events(*chunks)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_divides_events(end: bytes) -> None:
    assert texts(b"data: a" + end + end + b"data: b" + end + end) == ["a", "b"]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b": comment\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
        (b"data\n\n", [""]),
        (b"id: 4\nretry: 10\nunknown: x\ndata: a\n\n", ["a"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"\n\n\ndata: a\n\n\n\n", ["a"]),
        (b"data: [DONE]\n", ["[DONE]"]),  # no empty line at the end
        (b"data: a\n\ndata: half a li", ["a"]),
        (b"", []),
    ],
)
def test_the_rules_for_lines_and_fields(stream: bytes, expected: list[str]) -> None:
    assert texts(stream) == expected


@pytest.mark.parametrize("stream", [b"event: error\ndata: x\n\n", b"error: x\n\n"])
def test_an_error_is_marked_and_the_next_event_is_not(stream: bytes) -> None:
    assert events(stream + b"data: y\n\n") == [Event("x", True), Event("y", False)]


STREAM = ": é\r\ndata: Zwölf €\r\n\r\ndata: 𝄞\rdata: b\r\r\n\ndata: ü\n\n".encode()


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_network_cuts_changes_nothing(cuts: list[int]) -> None:
    places = sorted({0, len(STREAM), *cuts})
    chunks = [STREAM[a:b] for a, b in itertools.pairwise(places)]
    assert texts(*chunks) == ["Zwölf €", "𝄞\nb", "ü"]


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 1000, b"data: x\n" * 100, b": " + b"x" * 1000])
def test_a_line_or_event_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(ModelError, match="more than 256 KiB"):
        events(*[piece] * (2 * EVENT_LIMIT // len(piece)))


def spoken(*pieces: str) -> str:
    thoughts = Thoughts()
    return "".join(map(thoughts.feed, pieces)) + thoughts.end()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Hm. <b> a < b </think>\n\nTea.", "Tea."),
        ("<thinking>Hm.</thinking> Tea.", "Tea."),
        ("<think></think>Tea.", "Tea."),
        ("One<think>x</think> two <think>y</think>three", "One two three"),
        ("<think>never closed", ""),
        ("a <b> and 3 < 4 <", "a <b> and 3 < 4 <"),
        ("<thi", "<thi"),
        ("  Tea.", "  Tea."),
    ],
)
def test_thoughts_are_left_out_however_they_are_cut(text: str, expected: str) -> None:
    assert spoken(text) == expected
    assert spoken(*text) == expected
    assert spoken(text[:5], text[5:11], text[11:]) == expected


def test_text_without_a_tag_is_not_held_back() -> None:
    thoughts = Thoughts()
    assert [thoughts.feed(piece) for piece in ("Tea", " is <", "3", " now")] == ["Tea", " is ", "<3", " now"]


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> Event:
    return Event(json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}))


DONE = Event("[DONE]")


def read(*given: Event) -> tuple[list[str], AnswerReader]:
    reader = AnswerReader()
    return [text for event in given if (text := reader.event(event))], reader


@pytest.mark.parametrize(
    "silent",
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": None}),
        chunk({}),
        chunk(None),
        chunk({"reasoning_content": "I think"}),
        chunk({"reasoning": "I think", "content": None}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "book", "arguments": '{"a"'}}]}),
        chunk({"content": [{"type": "thinking", "text": "no"}]}),
        Event('{"choices": null}'),
        Event('{"choices": [], "usage": null}'),
        Event('{"choices": [{"index": 1, "delta": {"content": "another answer"}}]}'),
        Event('{"choices": ["x"]}'),
    ],
)
def test_what_is_not_the_answer_is_not_spoken(silent: Event) -> None:
    said, reader = read(silent, chunk({"content": "Tea"}), silent, chunk({"content": "."}, "stop"), DONE)
    assert said == ["Tea", "."]
    assert reader.end() == ""


def test_content_in_parts_is_text() -> None:
    said, _ = read(chunk({"content": [{"type": "text", "text": "Te"}, {"type": "text", "text": "a"}]}))
    assert said == ["Tea"]


def test_the_last_counts_are_the_ones_that_count() -> None:
    first = Event('{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}')
    last = Event(
        '{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, '
        '"prompt_tokens_details": {"cached_tokens": 4}}}'
    )
    assert read(first, last)[1].usage() == Usage(9, 2, 4)
    assert read(Event('{"usage": {"prompt_tokens": "x", "prompt_tokens_details": null}}'))[1].usage() == Usage()
    assert read(chunk({"content": "a"}))[1].usage() is None


@pytest.mark.parametrize("last", [[DONE], [chunk({}, "stop")], [chunk({}, "length")], [chunk({}, "tool_calls"), DONE]])
def test_an_answer_is_complete_when_the_model_or_the_server_has_said_so(last: list[Event]) -> None:
    said, reader = read(chunk({"content": "Tea"}), *last)
    assert (said, reader.end()) == (["Tea"], "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([chunk({"content": "Tea"})], "ended before the answer was complete"),
        ([], "ended before the answer was complete"),
        ([chunk({"content": "Tea"}), chunk({}, "content_filter")], "content filter"),
        ([chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")], "refused to answer: I cannot."),
        ([chunk({"reasoning_content": "Hm"}), chunk({}, "length")], "only thought, and reached max_tokens"),
        ([chunk({"content": "<think>Hm"}), chunk({}, "length")], "only thought, and reached max_tokens"),
        ([chunk({"reasoning": "Hm"}), chunk({}, "stop")], "only thought, and then stopped"),
        ([chunk({}, "length")], "raise max_tokens"),
        ([chunk({"tool_calls": [{}]}), chunk({}, "tool_calls")], "called a tool and said nothing"),
    ],
)
def test_an_answer_that_is_cut_or_empty_says_why(given: list[Event], message: str) -> None:
    _, reader = read(*given)
    with pytest.raises(ModelError, match=message):
        reader.end()


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event("{half"), "expected JSON in the stream, got '{half'"),
        (Event("[1]"), r"expected a chunk of an answer, got \[1\]"),
        (Event('{"error": {"message": "Out of memory", "code": 500}}'), "reports an error: Out of memory"),
        (Event('{"error": "overloaded"}'), "reports an error: overloaded"),
        (Event('{"object": "error", "message": "too long"}'), "reports an error: too long"),
        (Event("slot unavailable", error=True), "reports an error: slot unavailable"),
        (Event('{"detail": "slot unavailable"}', error=True), "reports an error: slot unavailable"),
    ],
)
def test_errors_in_the_stream_are_raised_in_the_servers_words(event: Event, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read(event)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "b"}, "b"),
        ({"detail": [{"msg": "c"}]}, '[{"msg": "c"}]'),
        ({"error": {"code": 7}}, '{"code": 7}'),
        ({}, "{}"),
        (None, "null"),
    ],
)
def test_the_message_is_found_in_every_known_form(body: Any, expected: str) -> None:
    assert error_text(body) == expected


def test_what_is_quoted_is_one_short_line() -> None:
    assert quoted("a\n\tb\x1b[31m") == "a b?[31m"
    assert len(quoted("x" * 10_000_000)) == 200
