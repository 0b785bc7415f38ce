"""Lines of the log: one a record, with the call it is about, and nothing in it that an outsider can steer."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, TurnTaking
from voiceloop.log_context import CALL, logged_as
from voiceloop.observe.call_log import log_call
from voiceloop.observe.lines import masked, one_line
from voiceloop.observe.logs import FIELDS, MESSAGE, JsonLines, configure_logging
from voiceloop.processor import Processor
from voiceloop.rehearsal import REHEARSAL
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.vad.processor import EnergyVAD

log = logging.getLogger("voiceloop.test")


class Written(io.StringIO):
    """A log that is read."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def logged() -> Iterator[Callable[..., Written]]:
    """Configures the log of the test; all is as it was behind it."""
    root, library = logging.getLogger(), logging.getLogger("voiceloop")
    levels, handlers = (root.level, library.level), list(root.handlers)

    def configure(*given: Any, **options: Any) -> Written:
        written = Written()
        configure_logging(*given, stream=written, **options)
        return written

    yield configure
    root.setLevel(levels[0])
    library.setLevel(levels[1])
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)


def test_a_record_is_one_json_object_with_its_fields(logged: Callable[..., Written]) -> None:
    written = logged("json", worker="2")
    log.warning("it took %d ms", 12, extra={"event": "slow", "ms": 12.5, "who": None, "deep": [1, 2]})
    (line,) = written.records
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "voiceloop.test",
        "message": "it took 12 ms",
        "worker": "2",
        "event": "slow",
        "ms": 12.5,
        "who": None,
        "deep": "[1, 2]",
    }


def test_the_text_form_is_a_line_for_people(logged: Callable[..., Written]) -> None:
    written = logged("text", worker="2")
    with logged_as("CA1"):
        log.info("it took %d ms", 12, extra={"event": "slow", "who": ""})
    (line,) = written.lines
    assert line.partition(" ")[2] == "INFO    voiceloop.test [2] CA1: it took 12 ms event=slow"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "evil",
    [
        "a\nERROR forged: all is lost",
        "a\r\n{}",
        "a\x1b[2J\x1b]0;title\x07",
        "a\u2028b\u2029c\x85d",
        "a\u202eb\u2066c",
        "a\x00b\ud800c",
        "x" * 100_000,
    ],
)
def test_what_an_outsider_writes_is_in_one_bounded_printable_line(
    logged: Callable[..., Written], form: str, evil: str
) -> None:
    written = logged(form)
    log.warning("caller %s", evil, extra={"name_of_caller": evil})
    with logged_as(evil):
        log.warning("hello")
    text = written.getvalue()
    assert text.count("\n") == 2
    assert text.endswith("\n")
    assert text.replace("\n", "").isprintable()
    assert len(text) < 2 * (MESSAGE + 1000)
    text.encode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_is_on_the_line_of_its_record(logged: Callable[..., Written], form: str) -> None:
    written = logged(form)
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        log.exception("it failed")
    (line,) = written.lines
    assert "it failed" in line
    assert "RuntimeError: two" in line
    assert "test_logs.py" in line


def test_a_record_that_cannot_be_formatted_is_written_all_the_same(logged: Callable[..., Written]) -> None:
    broken = log.makeRecord(log.name, logging.WARNING, __file__, 1, "%d", ("no number",), None)
    assert json.loads(JsonLines().format(broken))["message"] == "%d (not formatted: TypeError)"
    written = logged("json")
    log.warning("many", extra={f"field{number}": number for number in range(200)})
    (two,) = written.records
    assert sum(name.startswith("field") for name in two) == FIELDS


def test_levels_are_the_librarys_own(logged: Callable[..., Written]) -> None:
    written = logged("json", "DEBUG")
    log.debug("ours")
    logging.getLogger("others").info("not ours")
    logging.getLogger("others").warning("important")
    assert [line["message"] for line in written.records] == ["ours", "important"]
    again = logged("json", "ERROR")
    log.warning("dropped")
    log.error("kept")
    assert [line["message"] for line in again.records] == ["kept"]
    assert len(written.records) == 2  # the first handler is gone


@pytest.mark.parametrize(("given", "error"), [(("xml",), "'text' or 'json'"), (("json", "LOUD"), "level is one of")])
def test_what_cannot_be_configured_is_refused(given: tuple[str, ...], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        configure_logging(*given)  # type: ignore[arg-type]


# --- numbers and words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from +15551234567 to 442071234567.", "from +1555…67 to 44207…67."),
        ("sip:+15551234567@example.com", "sip:+1555…67@example.com"),
        ("CA8e89bcb5816924cbdc46fc781f7146c4", "CA8e89bcb5816924cbdc46fc781f7146c4"),
        ("12345678 bytes in 0.123456789 s on port 8080", "12345…78 bytes in 0.123456789 s on port 8080"),
    ],
)
def test_telephone_numbers_are_masked_and_ids_are_not(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(("mask", "shown"), [(True, "+1555…67"), (False, "+15551234567")])
def test_numbers_are_masked_wherever_they_stand(logged: Callable[..., Written], mask: bool, shown: str) -> None:
    written = logged("json", mask_numbers=mask)
    log.warning("from %s", "+15551234567", extra={"caller": "+15551234567"})
    (line,) = written.records
    assert (line["message"], line["caller"]) == (f"from {shown}", shown)


@pytest.mark.parametrize(("words", "said"), [(False, []), (True, ["turn 1  caller: 'a tea'"])])
def test_words_are_written_only_when_asked_for(logged: Callable[..., Written], words: bool, said: list[str]) -> None:
    written = logged("json", words=words)
    logging.getLogger("voiceloop.turns").info("turn 1  caller: 'a tea'")
    assert [line["message"] for line in written.records] == said


def test_a_short_text_is_not_touched() -> None:
    text = "Grüße, 東京 – fine…"
    assert one_line(text, 100) is text
    assert one_line("abcdef", 4) == "abc…"


# --- calls --------------------------------------------------------------------------------------------------


async def test_tasks_and_timers_of_a_call_know_which_it_is() -> None:
    seen: list[str] = []

    async def call(name: str) -> None:
        with logged_as(name):
            task = asyncio.create_task(inner())
            asyncio.get_running_loop().call_later(0.1, lambda: seen.append(CALL.get()))
            await task
            await asyncio.sleep(0.2)
        assert CALL.get() == ""

    async def inner() -> None:
        await asyncio.sleep(0.05)
        seen.append(CALL.get())

    await asyncio.gather(call("CA1"), call("CA2"))
    assert sorted(seen) == ["CA1", "CA1", "CA2", "CA2"]


async def test_a_call_is_told_in_figures(dial: Callable[..., Any], logged: Callable[..., Written]) -> None:
    lexicon, written = Lexicon(), logged("json")

    def bot(call: Call) -> Pipeline:
        call.caller, call.number = "+15551234567", "+15557654321"
        log_call(call)
        voice = ScriptedTTS(lexicon)
        stages = [EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("Hello."), LLMAggregator(script("Okay.")), voice]
        return Pipeline([call.transport, *stages, AudioStreamer()])

    async with dial(bot, llm=script("A tea, okay."), lexicon=lexicon) as caller:
        await caller.hears("Hello.")
        await caller.says("just a tea")
        await caller.hears("A tea, okay.")
        report = await caller.hangs_up()
    began, turn, ended = [line for line in written.records if line["logger"] == "voiceloop.calls"]
    assert {line["call"] for line in (began, turn, ended)} == {caller.call.id}
    assert (began["event"], began["caller"], began["number"]) == ("call_began", "+1555…67", "+1555…21")
    assert (began["direction"], began["again"]) == ("inbound", False)
    assert report.turns[0].latency is not None
    assert (turn["event"], turn["turn"], turn["interrupted"]) == ("turn", 1, False)
    assert {name: turn[f"{name}_ms"] for name in report.turns[0].latency.as_ms()} == report.turns[0].latency.as_ms()
    assert (ended["event"], ended["reason"], ended["turns"]) == ("call_ended", "caller hung up", 1)
    assert ended["seconds"] == pytest.approx(report.duration, abs=0.001)
    assert "tea" not in written.getvalue()


def test_rehearsals_are_not_told(logged: Callable[..., Written]) -> None:
    written = logged("json")
    call = Call(Processor(), id=REHEARSAL)
    log_call(call)
    call._report([])
    assert written.records == []
