"""A handler that cannot be one is an error when its class is defined, and the error says what to write instead."""

# No postponed annotations here: what is read when a class is defined are the types themselves.

import functools

import pytest

from voiceloop.frames import AnswerEnd, Audio, Digit, Frame, Text
from voiceloop.handlers import HandlerError, Kind, handles, transforms, watch
from voiceloop.processor import Processor
from voiceloop.stream import Stream


def define(**methods):
    """Define a processor class called Bad with these methods."""
    return type("Bad", (Processor,), methods)


def unannotated(self, text):
    pass


def too_many(self, text: Text, more: int):
    pass


def too_few(self):
    pass


def of_int(self, text: int):
    pass


def of_frame(self, frame: Frame):
    pass


def of_union(self, text: Text | Audio):
    pass


def plain_stream(self, text: Stream[Text]):
    pass


async def stream_of_signals(self, digits: Stream[Digit]):
    pass


async def async_watch(self, text: Text):
    pass


async def async_end(self, end: AnswerEnd):
    pass


def generator(self, text: Text):
    yield text


async def async_generator(self, text: Text):
    yield text


def content(self, text: Text):
    pass


def signal(self, digit: Digit):
    return digit


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            unannotated,
            "Bad.on_x: expected a frame type as the annotation of 'text', found none. "
            "Write 'def on_x(self, text: Text)', or put @handles(Text) above it.",
        ),
        (
            too_many,
            "Bad.on_x: expected two parameters, self and a frame, found 3. "
            "A method that is no handler needs a name that does not begin with 'on_'.",
        ),
        (
            too_few,
            "Bad.on_x: expected two parameters, self and a frame, found 1. "
            "A method that is no handler needs a name that does not begin with 'on_'.",
        ),
        (of_int, "Bad.on_x: expected a frame type, found int."),
        (of_frame, "Bad.on_x: expected a subclass of Signal or Content, found Frame itself."),
        (of_union, "Bad.on_x: expected a frame type, found voiceloop.frames.Text | voiceloop.frames.Audio."),
        (plain_stream, "Bad.on_x: a Stream is read with 'async for', so this must be an async def."),
        (stream_of_signals, "Bad.on_x: expected Stream of a content frame, found Stream[Digit]."),
        (watch(async_watch), "Bad.on_x: @watch needs a plain def, found async def."),
        (async_end, "Bad.on_x: the end of an answer is only looked at, so this must be a plain def."),
        (generator, "Bad.on_x: expected a function, found a generator. Use self.push(frame) instead of yield."),
        (async_generator, "Bad.on_x: expected a function, found a generator. Use self.push(frame) instead of yield."),
        (
            transforms(content),
            "Bad.on_x: @transforms is for signals; content is consumed, so push another frame.",
        ),
        (
            watch(signal),
            "Bad.on_x: @watch is for content; a handler of a signal never consumes it anyway.",
        ),
        (staticmethod(content), "Bad.on_x: expected a method, found a staticmethod."),
        (classmethod(content), "Bad.on_x: expected a method, found a classmethod."),
    ],
)
def test_impossible_handler_is_refused_when_its_class_is_defined(method, message):
    with pytest.raises(HandlerError) as caught:
        define(on_x=method)
    assert str(caught.value) == message


def test_two_handlers_of_one_type_are_refused_by_name():
    def one(self, text: Text):
        pass

    def two(self, text: Text):
        pass

    with pytest.raises(HandlerError, match=r"^Bad: expected one handler of Text, found two, on_a and on_b\.$"):
        define(on_a=one, on_b=two)


def test_inherited_handler_counts_and_can_be_overridden():
    class Base(Processor):
        def on_text(self, text: Text):
            pass

    class Same(Base):
        async def on_text(self, text: Text):
            pass

    assert Same._handlers["on_text"].kind is Kind.ASYNC
    with pytest.raises(HandlerError, match="found two, on_text and on_words"):

        class Other(Base):
            def on_words(self, text: Text):
                pass


def test_handler_of_any_name_is_marked_by_handles():
    class Marked(Processor):
        @handles(Digit)
        def keypad(self, key):
            pass

    assert [(h.name, h.kind, h.frame_type) for h in Marked._handlers.values()] == [("keypad", Kind.INLINE, Digit)]


def test_start_and_stop_that_are_not_async_are_refused():
    with pytest.raises(HandlerError, match=r"Bad\.start: expected async def, found a plain def\."):
        define(start=lambda self: None)
    with pytest.raises(HandlerError, match=r"Bad\.stop: expected async def, found a plain def\."):
        define(stop=lambda self: None)


async def test_async_handler_below_a_decorator_is_awaited(session, settle):
    done: list[str] = []

    def traced(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    class Decorated(Processor):
        @traced
        async def on_digit(self, digit: Digit):
            done.append(digit.digit)

    head = Decorated()
    async with session(head, tail := Decorated()):
        head.push(Digit("1", 0.0))
        await settle()
    assert done == ["1"]
    assert tail._handlers["on_digit"].kind is Kind.ASYNC


@pytest.mark.parametrize("annotation", ["Text", Text, bool])
def test_a_handler_that_returns_something_is_refused(annotation):
    def on_text(self, text: Text):
        return text

    on_text.__annotations__["return"] = annotation
    with pytest.raises(HandlerError, match=r"on_text: a handler returns nothing, .*self\.push\(frame\)"):
        type("Echo", (Processor,), {"on_text": on_text})


async def test_content_returned_instead_of_pushed_is_a_fault_that_says_so(session):
    class Echo(Processor):
        def on_text(self, text: Text):
            return text

    async with session(Echo()) as running:
        running.call.say("hello")
        assert [fault.message for fault in running.call.faults] == [
            "TypeError: a handler of content returns nothing; send frames on with self.push(frame)"
        ]


async def test_what_is_no_frame_cannot_be_pushed(session):
    class Wrong(Processor):
        def on_digit(self, digit: Digit):
            self.push("hello")

    async with session(Wrong()) as running:
        running.call.broadcast(Digit("1", 0.0))
        assert running.call.faults[0].message.startswith(
            "TypeError: push takes a frame, such as Text(answer, 'hello'); got str."
        )
