"""Annotations that are strings are resolved when a pipeline is first compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voiceloop.handlers import HandlerError, Kind
from voiceloop.processor import Processor
from voiceloop.stream import Stream

if TYPE_CHECKING:
    from voiceloop.frames import Audio


class LateBound(Processor):
    """Its annotations name what is defined only further down in this module."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def on_digit(self, digit: Digit) -> None:
        self.got.append(digit.digit)

    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            self.got.append(piece.text)


class Hidden(Processor):
    def on_audio(self, audio: Audio) -> None:
        pass


class Attribute(Processor):
    def on_audio(self, audio: frames.Adio) -> None:
        pass


class Number(Processor):
    def on_audio(self, audio: int) -> None:
        pass


class Doubled(Processor):
    def on_a(self, digit: Digit) -> None:
        pass

    def on_b(self, digit: Digit) -> None:
        pass


from voiceloop import frames  # noqa: E402  # the point of this test
from voiceloop.frames import Digit, Text  # noqa: E402


async def test_string_annotation_may_name_what_is_defined_later(session, settle):
    head, late = Processor(), LateBound()
    assert late._handlers["on_digit"].frame_type is None
    async with session(head, late) as running:
        assert late._handlers["on_digit"].frame_type is Digit
        assert late._handlers["on_text"].kind is Kind.STREAM
        head.push(Digit("1", 0.0))
        running.call.say("hello")
        await settle()
    assert late.got == ["1", "hello"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            Hidden,
            "Hidden.on_audio: the annotation 'Audio' names something that cannot be found (name 'Audio' is not "
            "defined). Import the frame type outside 'if TYPE_CHECKING:', or use @handles(Type).",
        ),
        (
            Attribute,
            "Attribute.on_audio: the annotation 'frames.Adio' names something that cannot be found (module "
            "'voiceloop.frames' has no attribute 'Adio'",
        ),
        (Number, "Number.on_audio: expected a frame type, found int."),
        (Doubled, "Doubled: expected one handler of Digit, found two, on_a and on_b."),
    ],
)
async def test_wrong_string_annotation_is_refused_before_the_call_begins(session, broken, message):
    with pytest.raises(HandlerError) as caught:
        async with session(broken()) as running:
            await running.ended()
    assert str(caught.value).startswith(message)
