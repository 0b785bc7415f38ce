"""What a failing test shows of its calls: the table, the files, and only then."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, FixedSilence, LLMAggregator, Pipeline, TurnTaking
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.sim.caller import CallEnded
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import Late
from voiceloop.testing import Dial, Lexicon, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.book import KEPT, Book, opened
from voiceloop.testing.failure import sections, without_our_log
from voiceloop.testing.failure_files import folder_for, forget
from voiceloop.testing.failure_rows import Row
from voiceloop.testing.failure_text import ROWS, table, told
from voiceloop.turns.events import TurnOptions

MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    await asyncio.sleep(0.7)
    return {"latte": "four dollars"}[drink]


PATIENT = TurnOptions(reprompt_after=60.0)


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()
    turns = TurnTaking("Hello!", PATIENT, endpointing=FixedSilence())
    ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), turns]
    return Pipeline([*ears, LLMAggregator(script("Okay."), tools=[price]), ScriptedTTS(lexicon), AudioStreamer()])


@pytest.fixture
def book() -> Iterator[Book]:
    """The calls that the test makes."""
    with opened() as book:
        yield book


# --- the table ----------------------------------------------------------------------------------------------


async def test_the_table_of_a_call_with_a_tool_and_an_interruption(dial: Dial) -> None:
    llm = script(("Let me look.", calls("price", drink="latte")), MENU, "Fine.", first=0.1)
    async with dial(bot, llm=llm) as caller:
        await caller.hears("Hello!")
        await caller.says("A latte?")
        await caller.interrupts("Just tea", after=2.0)
        await caller.presses("7")
        await caller.hears("Fine.")
        await caller.hangs_up()
    text, timeline = told(caller, 140)
    assert timeline is not None
    lines = text.splitlines()
    assert lines[1].split() == ["caller", "agent"]
    body = "\n".join(lines[2:])
    expected = [
        r"  0\.00 +Hello!",
        r"  1\.12  A latte\?",
        r"  \d\.\d\d +Let me look\. We have coffee, .*waited 0\.60 s: endpoint 0\.50, llm 0\.10",
        r".*tool price\(drink='latte'\) → four dollars",
        r"  \d\.\d\d  Just tea \[understood: Just tea",
        r" +\[keys: 7\]\]",
        r"  \d\.\d\d +holds its breath",
        r"  \d\.\d\d +interrupted",
        r"  \d\.\d\d  \[presses 7\]",
        r"  \d\.\d\d +Fine\. +waited 2\.10 s: endpoint 2\.00, llm 0\.10",  # more keys were waited for
    ]
    for pattern in expected:
        assert re.search(f"^{pattern}", body, re.MULTILINE), f"{pattern}\n{body}"
    assert "[not heard: " in body
    assert "FAILED" not in body


async def test_where_the_test_failed_and_what_was_going_on_is_told(dial: Dial, book: Book) -> None:
    async def fails() -> None:
        async with dial(bot, llm=ScriptedLLM(lambda messages: MENU, rate=2.0)) as caller:
            await caller.hears("Hello!")
            await caller.says("What is there?")
            await caller.waits(2.0)
            raise AssertionError("as planned")

    with pytest.raises(AssertionError, match="as planned"):
        await fails()
    (dialled,) = book.calls
    text, _ = told(dialled)
    lines = text.splitlines()
    assert lines[0].endswith("going on when the test failed, then caller hung up")
    assert next(line for line in lines if "THE TEST FAILED HERE" in line).split()[0] == f"{dialled.left:.2f}"
    assert not any("interrupted" in line for line in lines)  # by the end, not by the caller
    (going,) = [line for line in lines if line.startswith("going on when the test failed: ")]
    assert "answer 2 'We have coffee, latte,', not written to its end" in going
    assert "LLMAggregator.on_user_turn" in going


async def test_a_bot_that_cannot_be_made_is_shown_with_its_traceback(dial: Dial, book: Book, tmp_path: Path) -> None:
    def broken(call: Call) -> Pipeline:
        raise LookupError("no menu")

    with pytest.raises(Exception, match="no menu"):
        async with dial(broken) as caller:
            await caller.hears()
    ((heading, text),) = sections(book, tmp_path, "test_it", tmp_path)
    assert heading == "voiceloop: call"
    assert text.startswith("broken: 0.00 s, 0 turns, ")
    assert "FAULT bot: LookupError: no menu" in " ".join(text.split())  # however wide the terminal is
    assert 'raise LookupError("no menu")' in text
    assert "picture: test_it/call-1.html" in text


async def test_a_call_that_the_bot_never_took_is_told(dial: Dial, book: Book, tmp_path: Path) -> None:
    async with dial(bot, invariants=None) as caller:
        await caller.hears()
    caller._call, caller._report = None, asyncio.get_running_loop().create_future()
    ((_, text),) = sections(book, tmp_path, "test_it", tmp_path)
    assert text.startswith("The bot test_failure never took the call; the line: hung up.")
    assert "picture" not in text
    assert "events: test_it/call-1.jsonl" in text


async def test_a_call_that_has_not_ended_is_shown_as_it_stands(dial: Dial, book: Book) -> None:
    async with dial(bot) as caller:
        await caller.hears("Hello!")
        await caller.says("Is there tea?")
        text, _ = told(caller)
        assert text.splitlines()[0] == f"test_failure: {caller.call.now:.2f} s, 0 turns, still running"


async def test_what_was_recognised_wrongly_is_told(dial: Dial) -> None:
    lexicon = Lexicon()

    class Deafish(ScriptedSTT):
        async def transcribe(self, audio):  # type: ignore[no-untyped-def]
            async for item in super().transcribe(audio):
                if hasattr(item, "text"):
                    item.text = item.text.replace("tea", "key")
                yield item

    async with dial(bot, lexicon=lexicon, stt=Deafish(lexicon), invariants=None) as caller:
        await caller.hears("Hello!")
        await caller.says("Is there tea")
        await caller.hears()
        await caller.says("No milk")
        await caller.hears()
    text = told(caller, 140)[0]
    assert re.search(r"Is there tea \[understood: Is\n +there key\]", text), text
    assert text.count("understood") == 1


async def test_recordings_and_faults_have_their_place(dial: Dial) -> None:
    async with dial(bot, invariants=None) as caller:
        await caller.hears("Hello!")
        await caller.says(b"\x10\x90" * 4000)
        caller.call.fault("menu", "it is lost")
        caller.injected.append((asyncio.get_running_loop().time(), "a fault of the test's own"))
        await caller.waits(1.0)
    text = told(caller, 140)[0]
    assert "[1.0 s of sound]" in text
    assert "FAULT menu: it is lost" in text
    assert "injected: a fault of the test's own" in text


@pytest.mark.parametrize("width", [20, 80, 100, 140, 500])
def test_no_line_is_wider_than_the_terminal_and_words_are_not_lost(width: int) -> None:
    said = " ".join(f"word{number}" for number in range(60))
    lines = list(table([Row(1.0, said, said, said)], width))
    assert max(map(len, lines)) <= min(max(width, 80), 140)
    shown = " ".join(lines).split()
    assert all(shown.count(f"word{number}") == 3 for number in range(60))


def test_a_long_call_is_shown_from_both_ends() -> None:
    lines = list(table([Row(float(second), event=f"e{second}") for second in range(ROWS + 50)]))
    assert len(lines) == 1 + ROWS + 1
    assert lines[1 + ROWS // 2].strip() == "… 50 rows …"
    assert lines[-1].split() == [f"{ROWS + 49:.2f}", f"e{ROWS + 49}"]


async def test_the_timeline_made_afterwards_is_that_of_a_recorder_in_the_call(dial: Dial) -> None:
    recorder = TimelineRecorder()
    llm = script(("Let me look.", calls("price", drink="latte")), MENU, "Fine.", first=0.1)
    line = CarrierOptions(seed=3, delay_to_server=0.06, delay_from_server=0.09, jitter=0.02)
    async with dial(bot, llm=llm, observers=[recorder], carrier=line) as caller:
        await caller.hears("Hello!")
        await caller.says("A latte?")
        await caller.interrupts("Just tea", after=2.0)
        await caller.presses("7")
        await caller.hears("Fine.")
        caller.call.fault("menu", "it is lost")
        report = await caller.hangs_up()
    live, late = recorder.timeline(report), caller.timeline(report)
    assert (late.caller_audio, late.agent_audio) == (live.caller_audio, live.agent_audio)
    assert {**late.as_dict(), "began": ""} == {**live.as_dict(), "began": ""}
    assert len(late.turns) == 2
    assert {*("mark", "echo", "clear", "pause", "interruption", "digit", "fault", "transcript")} == {
        e.kind for e in late.events
    }


# --- the files ----------------------------------------------------------------------------------------------


async def test_every_call_leaves_a_picture_and_the_log_of_both_sides(dial: Dial, book: Book, tmp_path: Path) -> None:
    for said in ("tea", "coffee"):
        async with dial(bot) as caller:
            await caller.hears("Hello!")
            await caller.says(said)
            await caller.hears("Okay.")
    folder = tmp_path / "left" / "test_it"
    folder.mkdir(parents=True)
    (folder / "call-7.html").write_text("of a run before")
    (folder / "notes.md").write_text("of somebody else")
    found = sections(book, tmp_path / "left", "test_it", tmp_path)
    assert [heading for heading, _ in found] == ["voiceloop: call 1 of 2", "voiceloop: call 2 of 2"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["notes.md", *(f"call-{number}.{end}" for number in (1, 2) for end in ("html", "jsonl", "txt"))]
    )
    assert (tmp_path / "left" / ".gitignore").read_text().endswith("*\n")
    events = [json.loads(line) for line in (folder / "call-2.jsonl").read_text().splitlines()]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert {event["side"] for event in events} == {"agent", "carrier"}
    assert {"in", "out", "media", "echo", "end"} <= {event["kind"] for event in events}
    assert ">coffee<" in (folder / "call-2.html").read_text().replace("&quot;", "").replace("“", "").replace("”", "")
    assert "left/test_it/call-2.html" in found[1][1]
    assert "coffee" in (folder / "call-2.txt").read_text()


async def test_of_many_calls_the_last_are_kept(dial: Dial, book: Book, tmp_path: Path) -> None:
    for _ in range(KEPT + 3):
        async with dial(bot) as caller:
            await caller.hears("Hello!")
    found = sections(book, tmp_path, "test_it", tmp_path)
    assert len(found) == KEPT
    assert found[0][0] == f"voiceloop: call 4 of {KEPT + 3} (3 before it are not kept)"
    assert found[-1][0] == f"voiceloop: call {KEPT + 3} of {KEPT + 3}"


async def test_a_folder_that_cannot_be_written_spoils_nothing(dial: Dial, book: Book, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with dial(bot) as caller:
        await caller.hears("Hello!")
    ((_, text),) = sections(book, tmp_path / "file", "test_it", tmp_path)
    assert "Hello!" in text
    assert "no picture and no log: [Errno" in text


def test_every_test_has_a_folder_of_its_own_with_a_name_of_bounded_length() -> None:
    ids = [
        "t.py::test_a",
        "t.py::test_a[x]",
        "t.py::test_a[x/y]",
        "t.py::test_a[x y]",
        "t.py::test_a[x]y",
    ]
    ids += ["../t.py::a", "t.py::a"]
    ids += [f"t.py::test_a[{'x' * 300}{end}]" for end in "ab"]
    names = [folder_for(Path("."), each).name for each in ids]
    assert len(set(names)) == len(ids)
    assert max(map(len, names)) <= 130
    assert names[0] == "t.py-test_a"
    assert all(set(name).isdisjoint('/\\:*?"<>|[] ') for name in names)


def test_nothing_is_kept_outside_a_test(book: Book) -> None:
    with opened() as inner:
        assert inner is not book
    assert book.made == 0


async def test_of_a_bot_that_could_not_be_made_its_own_lines_are_shown(dial: Dial) -> None:
    def broken(call: Call) -> Pipeline:
        return json.loads("[") and bot(call)

    with pytest.raises(CallEnded):
        async with dial(broken) as caller:
            await caller.hears()
    text = told(caller, 140)[0]
    trace = text[text.index("Traceback") :]
    assert re.findall(r'File ".*/(\w+\.py)", line', trace) == ["test_failure.py"]
    assert 'return json.loads("[") and bot(call)' in trace
    assert trace.rstrip().endswith("JSONDecodeError: Expecting value: line 1 column 2 (char 1)")


async def test_the_numbers_of_what_was_injected_are_rounded(dial: Dial) -> None:
    line = CarrierOptions(faults=(Late(at=0.5896861658365546, length=0.25, by=1 / 3),))
    async with dial(bot, carrier=line, invariants=None) as caller:
        await caller.hears()
    found = " ".join(told(caller, 140)[0].split())
    assert "injected: Late(at=0.59, " in found
    assert "by=0.333" in found
    assert not re.search(r"\d\.\d{4}", found)


def test_a_captured_log_is_left_out_only_when_all_of_it_is_the_librarys_own() -> None:
    ours = ("Captured log call", "ERROR    voiceloop.twilio:media.py:128 no bot\nTraceback\nKeyError\n")
    mixed = ("Captured log call", ours[1] + "INFO     shop:shop.py:3 two teas\n")
    odd = ("Captured log call", "12:00 two teas\n")
    printed = ("Captured stdout call", ours[1])
    assert without_our_log([ours, mixed, odd, printed]) == [mixed, odd, printed]


def test_a_test_that_passes_takes_away_what_its_failure_left_and_nothing_else(tmp_path: Path) -> None:
    for name, files in (("a", ["call-1.txt", "call-1.html"]), ("b", ["call-2.jsonl", "mine.txt"])):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("")
        forget(tmp_path, name)
    forget(tmp_path, "never_failed")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["b", "b/mine.txt"]


@pytest.mark.parametrize("delay", [0.0, 0.3])
async def test_what_was_understood_stands_beside_what_was_said_only_where_it_differs(dial: Dial, delay: float) -> None:
    line = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    async with dial(bot, carrier=line, invariants=None) as caller:
        await caller.hears("Hello!")
        await caller.says("I need an")  # one turn of two utterances
        await caller.waits(0.3)
        await caller.says("appointment")
        await caller.hears("Okay.")
        await caller.says("Two teas and a latte please", until=1.0)
        await caller.hears("Okay.")
        await caller.coughs()
    text = " ".join(told(caller, 140)[0].split())
    assert text.count("understood") == 1
    assert "Two teas and a latte please [breaks off] [understood: Two teas and a]" in text
