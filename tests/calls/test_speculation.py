"""An answer that was begun before the caller's turn was over: given when it was, and dropped when not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from tests.calls.guessing import SILENCE, Bot
from voiceloop.answer import AnswerState
from voiceloop.frames import AnswerEnded, Fault, Interruption, Watchdog
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMOptions
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, Failing, ScriptedLLM, ScriptedTTS, calls
from voiceloop.testing.dial import dial
from voiceloop.tts.processor import TTSOptions

MODEL, VOICE = 0.2, 0.09
LONG = " ".join(f"word{number}" for number in range(60))
"""About half a minute of artificial speech."""

Ring = Callable[..., Any]


@pytest.fixture
def ring(lexicon: Lexicon) -> Ring:
    """``ring(bot, replies)`` is a call with the bot; ``first``, ``rate`` and the like are the model's."""

    def call(bot: Bot, replies: Any = ("Okay.",), *, voice: dict[str, Any] | None = None, **model: Any) -> Any:
        bot.model = ScriptedLLM(replies, **{"first": MODEL, "speculative": True, **model})
        tts = ScriptedTTS(lexicon, **{"first": VOICE, **(voice or {})})
        return dial(bot, llm=bot.model, tts=tts, lexicon=lexicon, silence=0.4)

    return call


def outcomes(caller: Dialled) -> list[str]:
    """How answers ended, in order."""
    return [f"{frame.answer.id} {frame.answer.outcome}" for frame in caller.frames(AnswerEnded)]


async def test_a_right_guess_is_asked_once_and_heard_when_the_turn_is_over(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Two lattes, fine."]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.5)
        (answer,) = caller.call.live_answers()
        assert (answer.turn, answer.text, answer.state) == (turn, "Two lattes, fine.", AnswerState.SPECULATIVE)
        assert answer.buffered > 0.5  # the voice has spoken, and nobody has heard it
        assert caller.memory == []
        bot.guesser.sure(turn, "Two lattes.")
        assert (await caller.hears()).text == "Two lattes, fine."
        assert len(bot.model.requests) == 1
        assert caller.memory == ["user: Two lattes.", "assistant: Two lattes, fine."]
        report = await caller.hangs_up()
    assert [(turn.caller, turn.heard) for turn in report.turns] == [("Two lattes.", "Two lattes, fine.")]
    assert (report.speculation.kept, report.speculation.discarded, report.speculation.wasted_tokens) == (1, 0, 0)
    assert not [name for name in report.usage if "wasted" in name or "speculation" in name]


@pytest.mark.parametrize(
    ("after", "gained", "llm", "tts"),
    [(0.1, 0.1, 0.1, 0.09), (0.25, 0.25, 0.0, 0.04), (0.35, 0.29, 0.0, 0.0), (1.0, 0.29, 0.0, 0.0)],
)
async def test_what_is_gained_is_what_model_and_voice_did_before_the_turn_was_over(
    ring: Ring, after: float, gained: float, llm: float, tts: float
) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(after)
        bot.guesser.sure(turn)
        await caller.hears()
        report: CallReport = await caller.hangs_up()
    (done,) = report.turns
    assert done.latency is not None
    assert done.gained == pytest.approx(gained, abs=1e-6)
    assert report.speculation.gained == pytest.approx(gained, abs=1e-6)
    assert done.latency.endpoint == pytest.approx(SILENCE + after, abs=1e-6)
    assert (done.latency.llm, done.latency.tts) == (pytest.approx(llm, abs=1e-6), pytest.approx(tts, abs=1e-6))
    assert sum(asdict(done.latency).values()) == pytest.approx(done.latency.total, abs=1e-9)
    assert done.line().endswith(f"  gained {gained * 1000:.0f} ms")
    assert done.as_dict()["gained_ms"] == pytest.approx(gained * 1000)


async def test_the_same_turn_without_a_guess_takes_longer_by_what_was_gained(ring: Ring) -> None:
    waits = []
    for guessed in (True, False):
        bot = Bot()
        async with ring(bot, ["Fine."]) as caller:
            await caller.waits(1.0)
            turn = bot.guesser.guess("two lattes") if guessed else None
            await caller.waits(0.25)
            if turn is not None:
                bot.guesser.sure(turn)
            else:
                bot.guesser.turn("two lattes").ended -= 0.25
            await caller.hears()
            report = await caller.hangs_up()
        waits.append(report.turns[0].latency.total)
        assert ("gained" in report.turns[0].line()) is guessed
    assert waits[1] - waits[0] == pytest.approx(0.25, abs=0.001)


async def test_a_wrong_guess_is_dropped_while_it_is_written_and_the_turn_is_asked_anew(ring: Ring) -> None:
    bot = Bot()
    async with ring(
        bot, lambda asked: LONG if len(asked[-1].text) < 12 else "Two lattes and a mocha.", rate=20.0
    ) as caller:
        await caller.waits(1.0)
        wrong = bot.guesser.guess("two lattes")
        await caller.waits(1.0)
        (answer,) = caller.call.live_answers()
        voiced = answer.voiced
        assert voiced > 50
        bot.guesser.wrong(wrong)
        assert caller.call.live_answers() == []
        await caller.waits(0.5)
        right = bot.guesser.guess("two lattes and a mocha")
        await caller.waits(0.1)
        bot.guesser.sure(right)
        assert (await caller.hears()).text == "Two lattes and a mocha."
        assert caller.memory == ["user: two lattes and a mocha", "assistant: Two lattes and a mocha."]
        assert outcomes(caller) == ["1 discarded", "2 complete"]
        report = await caller.hangs_up()
    found = report.speculation
    assert (found.made, found.kept, found.discarded) == (2, 1, 1)
    assert found.wasted_characters == voiced
    assert found.wasted_tokens == -(-len(answer.text) // 4)  # estimated: it was cut before the model had counted
    assert found.tokens == found.wasted_tokens + 5
    assert found.wasted_share == pytest.approx(found.wasted_tokens / found.tokens)
    assert report.usage["llm.wasted_characters"] == len(answer.text.strip())
    assert report.usage["llm.estimated_requests"] == 1
    assert report.usage["tts.wasted_characters"] <= report.usage["tts.characters"]
    assert len(report.turns) == 1
    assert report.faults == []


async def test_a_whole_answer_that_is_dropped_is_counted_as_the_model_counted_it(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["One two three four."]) as caller:
        await caller.waits(1.0)
        wrong = bot.guesser.guess("two lattes")
        await caller.waits(1.5)
        bot.guesser.wrong(wrong)
        await caller.waits(0.2)
        bot.guesser.turn("two lattes and a mocha")
        await caller.hears()
        report = await caller.hangs_up()
    found = report.speculation
    assert (found.wasted_tokens, found.wasted_input_tokens, found.tokens) == (4, 2, 8)
    assert found.wasted_characters == len("One two three four.")
    assert found.gained == report.turns[0].gained == 0.0
    assert str(found) == "0 of 1 speculative answers kept, 0 ms gained, 4 tokens (50%) and 19 characters wasted"
    assert report.usage["llm.wasted_characters"] == report.usage["tts.wasted_characters"] == len("One two three four.")
    assert "llm.estimated_requests" not in report.usage


async def test_another_turn_than_the_guessed_one_drops_the_guess(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, [lambda messages: f"You said {messages[-1].text}"]) as caller:
        await caller.waits(1.0)
        bot.guesser.guess("two lattes")
        await caller.waits(0.4)
        bot.guesser.turn("a mocha")
        assert (await caller.hears()).text == "You said a mocha"
        assert outcomes(caller) == ["1 discarded", "2 complete"]
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["a mocha"]


async def test_a_second_guess_takes_the_place_of_the_first(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, [lambda messages: f"You said {messages[-1].text}"]) as caller:
        await caller.waits(1.0)
        bot.guesser.guess("two")
        await caller.waits(0.1)
        second = bot.guesser.guess("two lattes")
        await caller.waits(0.4)
        bot.guesser.sure(second)
        assert (await caller.hears()).text == "You said two lattes"
        report = await caller.hangs_up()
    assert (report.speculation.kept, report.speculation.discarded) == (1, 1)


async def test_a_guess_and_the_end_of_the_turn_in_one_moment_are_one_answer(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."]) as caller:
        await caller.waits(1.0)
        bot.guesser.sure(bot.guesser.guess("two lattes"))
        await caller.hears()
        assert len(bot.model.requests) == 1
        report = await caller.hangs_up()
    assert (report.speculation.kept, report.turns[0].gained) == (1, 0.0)


async def test_a_guess_that_is_dropped_in_the_same_moment_is_never_asked(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."]) as caller:
        await caller.waits(1.0)
        bot.guesser.wrong(bot.guesser.guess("two lattes"))
        await caller.waits(1.0)
        assert bot.model.requests == []
        assert outcomes(caller) == ["1 discarded"]


async def test_the_model_is_given_the_guessed_turn_as_it_will_be_remembered(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine.", "And a mocha."]) as caller:
        await caller.waits(1.0)
        first = bot.guesser.turn("two lattes")
        await caller.waits(0.05)
        first.withdrawn = True
        caller.call.interrupt()
        second = bot.guesser.guess("two lattes and a mocha", continued=True)
        await caller.waits(0.5)
        assert caller.memory == ["user: two lattes"]
        bot.guesser.sure(second)
        await caller.hears()
        asked = bot.model.requests
        assert [[str(message) for message in request] for request in asked] == [
            ["user: two lattes"],
            ["user: two lattes and a mocha"],
        ]
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["two lattes and a mocha"]


async def test_a_model_that_is_not_to_be_asked_in_vain_is_asked_when_the_turn_is_over(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."], speculative=False) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.5)
        assert (bot.model.requests, caller.call.live_answers()) == ([], [])
        bot.guesser.sure(turn)
        assert (await caller.hears()).text == "Fine."
        report = await caller.hangs_up()
    assert report.speculation.made == 0
    assert str(report.speculation) == "no speculation"
    assert report.turns[0].gained == 0.0


async def test_a_guess_that_nobody_confirms_is_dropped_after_its_limit(ring: Ring) -> None:
    bot = Bot(options=LLMOptions(certain=2.0))
    async with ring(bot, [LONG]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(1.99)
        assert len(caller.call.live_answers()) == 1
        await caller.waits(0.02)
        assert caller.call.live_answers() == []
        bot.guesser.sure(turn)
        assert (await caller.hears(timeout=60)).text == LONG
        report = await caller.hangs_up()
    assert (report.speculation.kept, report.speculation.discarded) == (0, 1)


# --- what is said meanwhile ---------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("reply", ["Fine.", LONG])
async def test_what_is_said_meanwhile_is_heard_whatever_comes_of_the_guess(ring: Ring, reply: str, right: bool) -> None:
    bot = Bot()
    async with ring(bot, [reply]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.5)
        (answer,) = caller.call.live_answers()
        if reply is LONG:
            assert 10.0 < answer.buffered < 12.0  # not more than there is room for
        caller.call.say("Your car is here.")
        await caller.waits(0.5)
        (bot.guesser.sure if right else bot.guesser.wrong)(turn)
        heard = (await caller.hears(timeout=60)).text
        assert "Your car is here." in heard
        assert (reply in heard) is right
        await caller.hangs_up()


@pytest.mark.parametrize("reply", [LONG, ("One second.", calls("book", drink="latte"))])
async def test_what_is_said_behind_a_guess_that_nobody_decides_on_is_heard_within_its_limit(
    ring: Ring, reply: Any
) -> None:
    shop = Shop()
    bot = Bot(tools=[shop.book], options=LLMOptions(certain=3.0))
    async with ring(bot, [reply]) as caller:
        await caller.waits(1.0)
        bot.guesser.guess("two lattes")
        await caller.waits(1.0)
        said = asyncio.get_running_loop().time()
        caller.call.say("Your car is here.")
        heard = await caller.hears("Your car is here.")
        assert heard.started - said < 2.0 + VOICE + 0.1
        assert outcomes(caller) == ["1 discarded", "2 complete"]
    assert shop.booked == []


async def test_what_was_said_meanwhile_makes_the_guess_an_answer_to_something_else(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, [lambda messages: f"I know {len(messages)}."]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.5)
        caller.call.say("Your car is here.")
        await caller.hears("Your car is here.")
        bot.guesser.sure(turn)
        assert (await caller.hears()).text == "I know 2."
        assert outcomes(caller) == ["2 complete", "1 discarded", "3 complete"]


# --- tools --------------------------------------------------------------------------------------------------


class Shop:
    """A tool that does something."""

    def __init__(self) -> None:
        self.booked: list[float] = []

    async def book(self, drink: str) -> str:
        """Order a drink."""
        self.booked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.3)
        return f"{drink} ordered"


@pytest.mark.parametrize(("said", "gained"), [("", MODEL), ("Let me see.", MODEL + VOICE)])
async def test_no_tool_runs_before_the_turn_is_over(ring: Ring, said: str, gained: float) -> None:
    shop = Shop()
    bot = Bot(tools=[shop.book])
    asks = calls("book", drink="latte")
    async with ring(bot, [(said, asks) if said else asks, "It is ordered."]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("a latte")
        await caller.waits(4.0)
        assert (shop.booked, caller.memory) == ([], [])
        sure = asyncio.get_running_loop().time()
        bot.guesser.sure(turn)
        assert (await caller.hears("It is ordered.")).text.removeprefix(said).strip() == "It is ordered."
        assert shop.booked == [pytest.approx(sure, abs=1e-6)]
        assert len(bot.model.requests) == 2
        report = await caller.hangs_up()
    assert report.turns[0].gained == pytest.approx(gained, abs=1e-6)
    assert report.conversation[1].text == said
    assert report.conversation[2 if said else 1].calls[0].name == "book"


async def test_a_tool_of_a_wrong_guess_never_runs(ring: Ring) -> None:
    shop, asks = Shop(), calls("book", drink="latte")
    bot = Bot(tools=[shop.book])
    async with ring(bot, lambda asked: asks if asked[-1].text == "a latte" else "A mocha, fine.") as caller:
        await caller.waits(1.0)
        wrong = bot.guesser.guess("a latte")
        await caller.waits(3.0)
        bot.guesser.wrong(wrong)
        bot.guesser.turn("a latte, no, a mocha")
        assert (await caller.hears()).text == "A mocha, fine."
        assert caller.memory == ["user: a latte, no, a mocha", "assistant: A mocha, fine."]
    assert shop.booked == []


async def test_a_tool_that_gave_its_result_meanwhile_is_told_to_the_model(ring: Ring) -> None:
    shop = Shop()
    bot = Bot(tools=[shop.book])
    replies = [calls("book", drink="latte"), lambda messages: f"It is {messages[2].results[0].text}"]
    async with ring(bot, replies) as caller:
        await caller.waits(1.0)
        bot.guesser.turn("a latte")
        await caller.waits(0.25)
        caller.call.interrupt()  # the order goes on
        turn = bot.guesser.guess("is it ordered")
        await caller.waits(0.22)
        assert caller.call.live_answers()[0].text.startswith("It is It is still running")
        await caller.waits(0.2)
        bot.guesser.sure(turn)
        assert (await caller.hears()).text == "It is latte ordered"
        await caller.hangs_up()


# --- failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["model", "voice"])
@pytest.mark.parametrize("how", ["raise", "empty", "stall"])
async def test_a_guess_that_fails_is_dropped_in_silence_and_the_turn_is_asked_again(
    ring: Ring, who: str, how: Any
) -> None:
    bot = Bot(options=LLMOptions(tries=1, first_text=1.0, stall=1.0), speaking=TTSOptions(tries=1, stall=1.0))
    phrases = len(Phrases().all())  # the voice is asked for these first
    failing = Failing(how, requests={0 if who == "model" else phrases})
    options = {"failing": failing} if who == "model" else {"voice": {"failing": failing}}
    async with ring(bot, lambda asked: "Fine.", **options) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(2.0)
        assert outcomes(caller) == ["1 discarded"]
        bot.guesser.sure(turn)
        assert (await caller.hears()).text == "Fine."
        assert (caller.frames(Fault), caller.frames(Interruption), caller.frames(Watchdog)) == ([], [], [])
        report = await caller.hangs_up()
    assert [fault.message.endswith("for an answer that was not certain yet") for fault in report.faults] == [True]
    assert [turn.heard for turn in report.turns] == ["Fine."]
    assert (report.speculation.kept, report.speculation.discarded) == (0, 1)


async def test_a_guess_that_fails_once_it_was_right_is_a_failure_like_any_other(ring: Ring) -> None:
    bot = Bot(options=LLMOptions(tries=1))
    async with ring(bot, ["One two three."], rate=2.0, failing=Failing("raise", after=2, requests={0})) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.3)
        bot.guesser.sure(turn)
        await caller.hears()
        assert len(caller.frames(Fault)) == 1
        assert outcomes(caller)[0] == "1 failed"
        report = await caller.hangs_up()
    assert report.speculation.kept == 1


# --- the end ------------------------------------------------------------------------------------------------


async def test_the_caller_hangs_up_while_a_guess_is_written(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, [LONG], rate=20.0) as caller:
        await caller.waits(1.0)
        bot.guesser.guess("two lattes")
        await caller.waits(0.5)
        (answer,) = caller.call.live_answers()
        report = await caller.hangs_up()
    assert answer.provisional
    assert (report.turns, list(report.conversation), report.abandoned) == ([], [], [])
    assert report.speculation.discarded == 1
    assert report.speculation.wasted_tokens == -(-len(answer.text) // 4) == report.usage["llm.output_tokens"]
    assert report.speculation.wasted_share == 1.0


async def test_a_call_that_is_ending_begins_no_guess_and_keeps_none(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."]) as caller:
        await caller.waits(1.0)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.1)
        caller.call.hang_up()
        bot.guesser.sure(turn)
        await caller.waits(0.1)
        report = await caller.report()
    assert [str(message) for message in report.conversation] == ["user: two lattes"]
    assert (report.reason, report.speculation.discarded) == ("completed", 1)


async def test_the_running_call_counts_as_its_report_does(ring: Ring) -> None:
    bot = Bot()
    async with ring(bot, ["Fine."]) as caller:
        await caller.waits(1.0)
        wrong = bot.guesser.guess("two")
        await caller.waits(0.5)
        bot.guesser.wrong(wrong)
        turn = bot.guesser.guess("two lattes")
        await caller.waits(0.25)
        bot.guesser.sure(turn)
        await caller.hears()
        found = {name: count for name, count in caller.call.usage.items() if name.startswith("speculation.")}
        assert found == {
            "speculation.discarded": 1,
            "speculation.wasted_characters": 5,
            "speculation.wasted_tokens": 1,
            "speculation.wasted_input_tokens": 1,
            "speculation.kept": 1,
            "speculation.gained": pytest.approx(0.25, abs=1e-6),
        }
        await caller.hangs_up()
