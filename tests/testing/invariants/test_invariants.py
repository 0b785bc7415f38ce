"""The invariants hold of good calls, and each finds what is against it: ends, answers, turns, latency."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Message, Processor, TurnTaking
from voiceloop.frames import UserTurn
from voiceloop.latency import Latency
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import Noise, Stall
from voiceloop.testing.bounds import Bounds, BrokenInvariants, Violation
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.excuses import EXCUSES, excused
from voiceloop.testing.faulty_faults import CODE_FAULTS, PROVIDER_FAULTS
from voiceloop.testing.invariants import INVARIANTS, check, require_invariants
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls
from voiceloop.tts.base import TTS, Speech
from voiceloop.turns.events import TurnOptions

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars, and tea is two."
Held = Callable[..., Evidence]
Doctored = Callable[..., Evidence]


def names(evidence: Evidence, bounds: Bounds | None = None) -> list[str]:
    return [violation.invariant for violation in check(evidence, bounds)]


# --- good calls -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        CarrierOptions(),
        CarrierOptions(delay_to_server=0.06, delay_from_server=0.06),
        CarrierOptions(delay_to_server=0.15, delay_from_server=0.03, jitter=0.02, seed=7, first_timestamp=480),
        CarrierOptions(drop_stop=True, delay_to_server=0.1),
    ],
)
def test_a_conversation_with_a_barge_in_breaks_nothing(held: Held, line: CarrierOptions) -> None:
    evidence = held(line=line)
    assert check(evidence) == []
    assert evidence.skipped == []
    assert [answer.outcome for answer in evidence.witness.answers.values()] == ["complete", "interrupted", "complete"]


@pytest.mark.parametrize("moment", [0.1, 0.55, 1.3, 1.9, 2.4, 2.9, 3.3, 3.8, 4.6])
def test_hanging_up_at_any_moment_breaks_nothing(
    held: Held, chat: Callable[..., Awaitable[None]], moment: float
) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        speaking = asyncio.ensure_future(chat(caller, call))
        await caller.waits(moment)
        speaking.cancel()
        await asyncio.wait([speaking])

    evidence = held(talk, line=CarrierOptions(delay_to_server=0.12, delay_from_server=0.1))
    assert check(evidence) == []


def test_tools_and_what_the_bot_says_by_itself_break_nothing(held: Held) -> None:
    lexicon = Lexicon()

    async def price(drink: str) -> str:
        """Look up a price."""
        await asyncio.sleep(4.0)
        return "four"

    def stages(call: Call) -> Sequence[Any]:
        llm = ScriptedLLM([("Let me look.", calls("price", drink="tea")), "Four dollars it is."])
        model = LLMAggregator(llm, tools=[price])
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING)),
            *(model, ScriptedTTS(lexicon), AudioStreamer()),
        ]

    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what is tea")
        await caller.hears()
        audio, words = lexicon.speak("we close soon we close soon")
        call.play(audio, text="we close soon we close soon", words=words, interruptible=False)
        await caller.says("and a mocha")
        await caller.hears()
        await call.send_digits("12")
        await caller.presses("1#")
        await caller.waits(3.0)

    evidence = held(talk, stages=stages, lexicon=lexicon)
    assert check(evidence) == []
    assert evidence.skipped == []


def test_music_and_audio_without_words_are_heard_and_not_remembered(held: Held) -> None:
    lexicon, streamer = Lexicon(), AudioStreamer()

    def stages(call: Call) -> Sequence[Any]:
        return [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(), streamer]

    async def talk(caller: Caller, call: Call) -> None:
        call.play(bytes(range(0x10, 0x30)) * 500)
        for _ in range(3):
            await streamer.queue_audio(bytes(range(0x10, 0x30)) * 100)
            await caller.waits(1.0)
        await caller.waits(2.0)

    evidence = held(talk, stages=stages, lexicon=lexicon)
    assert check(evidence) == []


@pytest.mark.parametrize("kind", ["no words", "real"])
def test_of_other_voices_it_is_said_that_their_words_cannot_be_followed(held: Held, kind: str) -> None:
    class Humming(TTS):
        async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
            async for piece in text:
                yield Speech(bytes(range(0x10, 0x30)) * 100 * max(1, len(piece.split())))

    lexicon = Lexicon()
    tts = Humming() if kind == "real" else ScriptedTTS(lexicon, words=False)
    evidence = held(lexicon=lexicon, tts=tts)
    assert check(evidence) == []
    assert any("what was heard of answer 2" in each for each in evidence.skipped)


def test_a_call_that_never_had_a_bot_is_looked_at_for_what_is_there(held: Held) -> None:
    evidence = held()
    assert names(Evidence.of(evidence.witness)) == ["the call ends"]
    assert names(Evidence.of(type(evidence.witness)(), report=evidence.report)) == []


# --- ends -----------------------------------------------------------------------------------------------------


def test_a_call_without_a_report_has_not_ended(held: Held, doctored: Doctored) -> None:
    (found,) = check(doctored(held(), report=None))
    assert found.invariant == "the call ends"
    assert found.message.startswith("expected a report, there is none; the line ended at ")


def test_a_report_that_comes_long_after_the_line_has_ended_is_late(held: Held, doctored: Doctored) -> None:
    evidence = held()
    evidence.witness.reported = [evidence.witness.reported[0] + 16.0]
    assert names(evidence) == ["the call ends"]
    assert names(doctored(evidence), Bounds(end=17.0)) == []


def test_two_reports_of_one_call_are_one_too_many(held: Held) -> None:
    evidence = held()
    evidence.witness.reported *= 2
    assert names(evidence) == ["it is reported once"]


def test_what_outlives_a_call_is_named(held: Held, doctored: Doctored) -> None:
    evidence = held()
    assert evidence.report is not None
    (found,) = check(doctored(evidence, left_behind=("task twilio reader",)))
    assert found.message == "expected nothing to outlive the call, left: task twilio reader"
    abandoned = dataclasses.replace(evidence.report, abandoned=["Deaf.on_text"])
    (found,) = check(doctored(evidence, report=abandoned))
    assert found.message == "expected every task to end when cancelled: Deaf.on_text"


@pytest.mark.parametrize(
    "usage", [{"stt.seconds": -0.1}, {"tts.characters": 3, "tts.wasted_characters": 4}, {"llm.wasted_characters": 9e9}]
)
def test_counts_that_cannot_be_are_found(held: Held, doctored: Doctored, usage: dict[str, float]) -> None:
    evidence = held()
    assert evidence.report is not None
    assert names(doctored(evidence, report=dataclasses.replace(evidence.report, usage=usage))) == ["counts are sound"]


# --- answers --------------------------------------------------------------------------------------------------


def test_an_answer_that_ends_never_or_twice_or_not_at_all_known_is_found(held: Held, doctored: Doctored) -> None:
    evidence = held()
    changes: list[tuple[str, Any]] = [
        ("ended", []),
        ("ended", [(4.7, "interrupted"), (5.0, "complete")]),
        ("ended", [(4.7, "lost")]),
        ("ended", [(0.1, "interrupted")]),
        ("began", []),
        ("began", [3.0, 3.1]),
        ("started", [3.0, 3.1]),
        ("stopped", [4.0, 4.1]),
    ]
    for name, value in changes:
        witness = copy.deepcopy(evidence.witness)
        setattr(witness.answers[2], name, value)
        assert names(doctored(evidence, witness=witness)) == ["each answer ends once"], (name, value)


def test_an_answer_that_is_sent_before_it_is_committed_is_found(held: Held) -> None:
    evidence = held()
    sent = evidence.witness.sent
    sent[-1] = sent[-1]._replace(committed=False)
    (found,) = check(evidence)
    assert found.message == "answer 3 was sent to the caller before it was committed"
    assert found.at == sent[-1].at


def test_an_answer_that_was_never_committed_and_was_heard_is_found(held: Held) -> None:
    evidence = held()
    evidence.witness.answers[3].provisional = True
    assert names(evidence) == ["nothing speculative is heard"]


def test_a_speculative_answer_that_is_sent_shows_in_a_call(held: Held) -> None:
    class Hasty(Processor):
        """Speculates, and has the streamer forget that it does."""

        def on_user_turn(self, turn: UserTurn) -> None:
            answer = self.begin_answer(speculative=True)  # to no turn: turn-taking knows its guesses
            streamer._playout.hold = lambda key: None  # type: ignore[method-assign]
            self.write(answer, "Sure.")
            self.call.timer(self.call.now + 0.5, lambda: self.call.commit(answer))
            self.finish_answer(answer)

    lexicon, streamer = Lexicon(), AudioStreamer()

    def stages(call: Call) -> Sequence[Any]:
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking()),
            *(Hasty(), ScriptedTTS(lexicon), streamer),
        ]

    async def talk(caller: Caller, call: Call) -> None:
        await caller.says("what do you have")
        await caller.hears()

    assert "nothing speculative is heard" in names(held(talk, stages=stages, lexicon=lexicon))


# --- turns ----------------------------------------------------------------------------------------------------


def test_a_word_that_was_recognised_and_is_nowhere_is_found(held: Held) -> None:
    evidence = held()
    assert evidence.report is not None
    evidence.report.conversation[1].text = "what do have"
    evidence.report.turns[0].caller = "what do have"
    (found,) = check(evidence)
    assert found.invariant == "every word recognised is recorded"
    assert found.message == "recognised, and neither in the conversation nor in a turn: you"


def test_a_word_that_was_said_twice_and_is_there_once_is_found(held: Held, doctored: Doctored) -> None:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("no no no")
        await caller.hears()

    evidence = held(talk)
    assert check(evidence) == []
    assert evidence.report is not None
    evidence.report.conversation[1].text = evidence.report.turns[0].caller = "no no"
    assert [each.message for each in check(doctored(evidence))] == [
        "recognised, and neither in the conversation nor in a turn: no"
    ]


def test_a_turn_that_is_recorded_twice_is_found(held: Held) -> None:
    evidence = held()
    assert evidence.report is not None
    evidence.report.conversation.add("user", "what do you have")
    (found,) = check(evidence)
    assert found.message == "in the conversation of the caller, and not recognised so often: what do you have"


def test_what_the_recogniser_thought_better_of_need_not_be_recorded(held: Held, doctored: Doctored) -> None:
    evidence = held()
    segment = evidence.witness.transcripts[next(iter(evidence.witness.transcripts))]
    segment.text = "what do you have now"
    segment.versions.append((evidence.witness.answers[2].started[0] + 0.5, segment.text))
    assert check(evidence) == []
    segment.versions[-1] = (evidence.witness.answers[2].started[0] - 0.1, segment.text)
    assert names(doctored(evidence)) == ["every word recognised is recorded"]


def test_messages_that_stood_there_before_the_call_are_nobodys_words(held: Held) -> None:
    lexicon = Lexicon()

    def stages(call: Call) -> Sequence[Any]:
        for role, text in (("user", "I called yesterday"), ("assistant", "You had a mocha.")):
            call.conversation.append(Message(role, text))  # type: ignore[arg-type]
        model = LLMAggregator(ScriptedLLM([MENU, "Sure."]))
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING)),
            *(model, ScriptedTTS(lexicon), AudioStreamer()),
        ]

    assert check(held(stages=stages, lexicon=lexicon)) == []


def silent_bot(held: Held, seconds: float) -> Evidence:
    async def talk(caller: Caller, call: Call) -> None:
        await caller.hears()
        await caller.says("what do you have")
        await caller.waits(seconds)

    patient = TurnOptions(reprompt_after=60.0)

    class Mute(LLMAggregator):
        """Answers with nothing that turn-taking would wait for."""

        async def on_user_turn(self, turn: UserTurn) -> None:
            self.call.conversation.add("user", turn.text)
            self.call.timer(self.call.now, self.idle)

        def idle(self) -> None:
            self.call.play(b"\xff")

    lexicon = Lexicon()

    def stages(call: Call) -> Sequence[Any]:
        return [
            *(call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(GREETING, patient)),
            *(Mute(ScriptedLLM(["So."])), ScriptedTTS(lexicon), AudioStreamer()),
        ]

    return held(talk, stages=stages, lexicon=lexicon)


def test_silence_on_both_sides_is_found_when_it_lasts_longer_than_anything_waits(held: Held) -> None:
    evidence = silent_bot(held, 50.0)
    assert names(evidence) == []  # it was set to be as patient as that
    evidence.witness.options = TurnOptions()
    (found,) = check(evidence)
    assert found.invariant == "nobody waits in silence"
    assert "nobody was heard for 49." in found.message
    assert "expected at most 16.00 s" in found.message


def test_the_latency_must_be_the_sum_of_its_parts_and_what_the_caller_waited(held: Held, doctored: Doctored) -> None:
    evidence = held()
    assert evidence.report is not None
    turn = evidence.report.turns[0]
    assert turn.latency is not None
    good = turn.latency
    turn.latency = dataclasses.replace(good, tts=good.tts + 0.2)
    found = check(doctored(evidence))
    assert {each.invariant for each in found} == {"latency parts sum"}
    assert len(found) == 2  # not what the milestones say, and not what the caller waited
    turn.latency = dataclasses.replace(good, tts=-0.1, llm=good.llm + 0.1)
    (negative,) = check(doctored(evidence))
    assert negative.message.startswith("expected no part of turn 1's latency below 0")

    class Longer(Latency):
        @property
        def total(self) -> float:
            return super().total + 0.001

    turn.latency = Longer(**dataclasses.asdict(good))
    assert f"the parts of turn 1's latency are {good.total:.6f} s" in check(doctored(evidence))[0].message
    turn.latency = good
    evidence.witness.answers[2].milestones["played"] += 0.2
    turn.latency = dataclasses.replace(good, carrier=good.carrier + 0.2)
    (wrong,) = check(doctored(evidence))
    assert "the caller waited" in wrong.message


# --- excuses --------------------------------------------------------------------------------------------------


def test_every_excuse_names_an_invariant_and_a_fault_that_there_is() -> None:
    from voiceloop.sim.line_faults import BY_KIND

    known = {f"{each.of} {what}" for each in (*PROVIDER_FAULTS, *CODE_FAULTS) for what in each.WHATS} | set(BY_KIND)
    assert set(EXCUSES) <= known
    assert {name for excuses in EXCUSES.values() for name in excuses} <= set(INVARIANTS)


def test_no_fault_excuses_a_call_that_does_not_end_or_that_answers_out_of_order() -> None:
    never = {"the call ends", "it is reported once", "each answer ends once", "nothing speculative is heard"}
    assert [name for name, excuses in EXCUSES.items() if never & set(excuses)] == []


def test_a_fault_excuses_what_follows_from_it_and_only_for_a_while(held: Held, doctored: Doctored) -> None:
    evidence = silent_bot(held, 50.0)
    evidence.witness.options = TurnOptions()
    assert names(doctored(evidence, faults=((3.0, Noise(at=3.0, length=4.0)),))) == []
    assert names(doctored(evidence, faults=((3.0, Stall(3.0, 0.5)),))) == ["nobody waits in silence"]


def test_a_stall_of_the_process_excuses_a_hole_only_beyond_the_lead(held: Held, doctored: Doctored) -> None:
    hole = Violation("no hole in an answer", "", 5.0, 5.3)
    evidence = held()
    for seconds, expected in ((0.5, False), (0.9, True)):
        at_it = doctored(evidence, faults=((4.6, Stall(4.6, seconds)),))
        assert excused(hole, at_it, Bounds()) is expected
        assert not excused(hole, doctored(evidence, faults=((9.0, Stall(9.0, seconds)),)), Bounds())


def test_stalls_that_follow_each_other_at_once_are_one(held: Held, doctored: Doctored) -> None:
    hole, evidence = Violation("no hole in an answer", "", 5.0, 5.1), held()
    for pause, expected in ((0.0, True), (0.1, False)):  # in a tenth of a second all of the lead is sent
        stalls = ((4.3, Stall(4.3, 0.3)), (4.6 + pause, Stall(4.6 + pause, 0.4)))
        assert excused(hole, doctored(evidence, faults=stalls), Bounds()) is expected


def test_a_fault_of_ones_own_says_what_it_excuses(held: Held, doctored: Doctored) -> None:
    class Storm:
        excuses: ClassVar[dict[str, float]] = {"the call ends": 5.0}

    evidence = doctored(held(), report=None)
    ended = evidence.line_ended
    assert ended is not None
    assert names(doctored(evidence, faults=((ended - 1.0, Storm()),))) == []
    assert names(doctored(evidence, faults=((ended - 9.0, Storm()),))) == ["the call ends"]


# --- check ----------------------------------------------------------------------------------------------------


def test_all_that_was_found_is_raised_at_once(held: Held, doctored: Doctored) -> None:
    evidence = doctored(held(), left_behind=("task x",))
    evidence.witness.reported *= 2
    with pytest.raises(BrokenInvariants) as raised:
        require_invariants(evidence)
    assert [each.invariant for each in raised.value.violations] == ["it is reported once", "nothing is left"]
    assert str(raised.value).splitlines()[1] == ("nothing is left: expected nothing to outlive the call, left: task x")
    require_invariants(held())


def test_single_invariants_can_be_looked_at_by_name(held: Held, doctored: Doctored) -> None:
    evidence = doctored(held(), report=None, left_behind=("task x",))
    assert [each.invariant for each in check(evidence, only=["nothing is left"])] == ["nothing is left"]
    with pytest.raises(KeyError):
        check(evidence, only=["all is well"])


def test_when_it_was_stands_in_front_of_what_it_was() -> None:
    assert str(Violation("no hole in an answer", "answer 2 fell silent", 5.0)) == (
        "no hole in an answer at 5.000 s: answer 2 fell silent"
    )
    assert str(Violation("nothing is left", "task x")) == "nothing is left: task x"


def test_a_failing_provider_breaks_nothing(held: Held) -> None:
    for how in ("raise", "stall", "empty"):
        for provider in ("stt", "llm", "tts"):
            lexicon = Lexicon()
            failing = Failing(how, after=1, requests={1 if provider == "stt" else 8})  # type: ignore[arg-type]
            made: dict[str, Any] = {
                "stt": {"stt": ScriptedSTT(lexicon, failing=failing)},
                "llm": {"llm": ScriptedLLM([MENU, "Sure."], failing=Failing(how, after=3, requests={0}))},  # type: ignore[arg-type]
                "tts": {"tts": ScriptedTTS(lexicon, failing=failing)},
            }[provider]

            async def talk(caller: Caller, call: Call) -> None:
                await caller.hears()
                for _ in range(2):
                    await caller.says("what do you have")
                    await caller.waits(15.0)

            evidence = held(talk, lexicon=lexicon, **made)
            assert names(evidence) == [], (how, provider)
