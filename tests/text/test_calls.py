"""Whole calls: the caller hears words, and what is remembered is what the model wrote."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.text import SpokenText

pytest.importorskip("unicode_rbnf", reason="the extra 'text' is not installed")

LONG = "A coffee is $4.50 and a tea is $3.25 until 3:30pm today, call (555) 010-4477 for more."


def bot_with(lexicon: Lexicon, pronounce: Mapping[str, str] | None = None, greeting: str = ""):
    def bot(call: Call) -> Pipeline:
        ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(greeting)]
        return Pipeline(
            [*ears, LLMAggregator(script("Okay.")), SpokenText(pronounce), ScriptedTTS(lexicon), AudioStreamer()]
        )

    return bot


async def test_the_caller_hears_words_and_the_memory_holds_what_was_written(dial):
    lexicon, llm = Lexicon(), script("That is **$4.50** for the Gnocchi 😀", "Bye.")
    async with dial(bot_with(lexicon, {"Gnocchi": "nyoki"}), llm=llm, lexicon=lexicon) as caller:
        await caller.says("how much")
        reply = await caller.hears("That is four dollars and fifty cents for the nyoki")
        assert reply.text == "That is four dollars and fifty cents for the nyoki"
        await caller.says("thanks")
        await caller.hears("Bye.")
        report = await caller.hangs_up()
    assert report.turns[0].heard == "That is **$4.50** for the Gnocchi 😀"
    assert report.turns[0].unheard == ""
    assert llm.requests[1][1].text == "That is **$4.50** for the Gnocchi 😀"
    assert report.faults == []


async def test_what_the_call_says_by_itself_is_read_too(dial):
    lexicon = Lexicon()
    async with dial(bot_with(lexicon), lexicon=lexicon) as caller:
        await caller.waits(1)
        caller.call.say("It is 5:30.")
        await caller.hears("It is five thirty.")
        caller.call.say("One more: 20%")
        await caller.hears("One more: twenty percent")
        said = " ".join(message.text for message in caller.call.conversation)
        await caller.hangs_up()
    assert said == "It is 5:30. One more: 20%"


@pytest.mark.parametrize("number", range(14))
async def test_after_an_interruption_only_what_was_heard_is_kept(dial, number):
    lexicon = Lexicon()
    async with dial(bot_with(lexicon), llm=script(LONG, "Sure."), lexicon=lexicon) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts("stop", after=0.4 + 0.73 * number)
        truth = lexicon.text(caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped)).split()
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    turn = report.turns[0]
    assert turn.interrupted
    assert f"{turn.heard} {turn.unheard}".strip() == LONG
    stops = [(0, ""), *stops_of(LONG)]
    allowed = [text for (needed, text), (more, _) in pairwise([*stops, (999, "")]) if needed <= len(truth) < more + 1]
    # Never ahead; a word that ended within the frame of the cut may be missing, and with it what it stands for.
    before = [text for needed, text in stops if needed <= len(truth) - 1]
    assert turn.heard in {*allowed, before[-1] if before else ""}
    assert not [needed for needed, text in stops if text == turn.heard and needed > len(truth)]


def stops_of(text: str) -> list[tuple[int, str]]:
    """How many words are spoken at the end of each written word, and the text up to there."""
    from voiceloop.text import Reader, Rules, reading_for

    reader, count, stops = Reader(Rules(reading_for("en"))), 0, []
    for piece in [*reader.feed(text), *reader.close()]:
        count += len(piece.spoken.split())
        stops.append((count, text[: piece.end].strip()))
    return stops


async def test_a_cut_in_the_middle_of_an_amount_leaves_it_unheard(dial):
    lexicon = Lexicon(letter=0.1)
    async with dial(bot_with(lexicon), llm=script("It costs $4.50 today.", "Sure."), lexicon=lexicon) as caller:
        await caller.says("how much")
        await caller.interrupts("stop", after=2.6)  # in "fifty"
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert (report.turns[0].heard, report.turns[0].unheard) == ("It costs", "$4.50 today.")


async def test_a_greeting_that_is_rendered_ahead_is_read_alike(dial):
    lexicon = Lexicon()
    async with dial(bot_with(lexicon, greeting="Coffee is $5 today."), lexicon=lexicon) as caller:
        await caller.hears("Coffee is five dollars today.")
        said = caller.call.conversation[0].text
        await caller.hangs_up()
    assert said == "Coffee is $5 today."


async def test_the_picture_shows_the_written_words_where_they_were_said(dial):
    lexicon = Lexicon()
    recorders: list[TimelineRecorder] = []
    lines: list[Timeline] = []
    bot = bot_with(lexicon)

    def recorded(call: Call) -> Pipeline:
        recorder = TimelineRecorder()
        recorders.append(recorder)
        call.observe(recorder)
        call.on_end(lambda report: lines.append(recorder.timeline(report)))
        return bot(call)

    async with dial(recorded, llm=script("It is $4.50 now."), lexicon=lexicon) as caller:
        await caller.says("how much")
        await caller.hears("four dollars and fifty cents")
        await caller.hangs_up()
    (line,) = lines
    assert [word.text for word in line.words] == ["It", "is", "$4.50", "now."]
    spoken = {word.text: word for word in lexicon.listen(line.agent_audio)}
    price = line.words[2]
    assert round(price.start, 2) == round(spoken["four"].start / 8000, 2)
    assert round(price.end, 2) == round(spoken["cents"].end / 8000, 2)
