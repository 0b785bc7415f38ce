"""Every fault of a provider in a whole call: what the caller hears of it, turn by turn, and how the call ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, GaveUp
from voiceloop.testing.dial import dial
from voiceloop.testing.faulty import PROVIDER_FAULTS, FaultyLLM, FaultySTT, FaultyTTS, LLMFault, STTFault, TTSFault
from voiceloop.testing.faulty_faults import ProviderFault
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

SAY = Phrases()
PHRASES = {
    SAY.apology: "apology",
    SAY.not_understood: "not understood",
    SAY.still_there: "still there",
    SAY.goodbye: "goodbye",
    SAY.failed: "failed",
    SAY.cut_off: "cut off",
}
AHEAD = len(PHRASES) + 1
"""Requests to a voice before the first answer: the library's own phrases, and the greeting."""
ANSWERS = {
    "what do you have": "We have tea and coffee here.",
    "how much is a latte": "A latte is four dollars today.",
    "that is all": "Thank you and good bye now.",
}
QUESTIONS = tuple(ANSWERS)


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    return "four dollars"


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()
    return Pipeline(
        [
            call.transport,
            EnergyVAD(),
            ScriptedSTT(lexicon),
            TurnTaking("Hello!"),
            LLMAggregator(script("Okay."), tools=[price]),
            ScriptedTTS(lexicon),
            AudioStreamer(),
        ]
    )


def answer(messages: Sequence[Message]) -> str:
    """What the model says to the last thing it understands."""
    asked = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return next((text for question, text in ANSWERS.items() if asked.endswith(question)), "What?")


@dataclass
class Outcome:
    turns: list[str]
    """What was heard after each question, in words such as ``begun, apology``."""
    waits: list[float]
    """Seconds from the end of each question to the first sound, or to the end of the call."""
    report: CallReport
    struck: int
    """How often the fault happened."""


def told(text: str, question: str) -> str:
    """What the caller heard, in a word for each part of it."""
    named = {**PHRASES, "What?": "lost", **dict.fromkeys(ANSWERS.values(), "earlier"), ANSWERS[question]: "answer"}
    for phrase in sorted(named, key=len, reverse=True):  # one ends with another
        text = text.replace(phrase, f"|{named[phrase]}|")
    parts = [part.strip() for part in text.split("|") if part.strip()]
    begun = ANSWERS[question].startswith
    return ", ".join(p if p in named.values() else "begun" if begun(p) else "other" for p in parts) or "nothing"


async def called(fault: ProviderFault, questions: Sequence[str]) -> Outcome:
    """A call with a provider of which some requests go wrong."""
    lexicon = Lexicon()
    faults: dict[str, list[Any]] = {"stt": [], "llm": [], "tts": [], fault.of: [fault]}
    providers: dict[str, Any] = {
        "stt": FaultySTT(ScriptedSTT(lexicon), faults["stt"]),
        "llm": FaultyLLM(ScriptedLLM(answer, rate=20), faults["llm"]),
        "tts": FaultyTTS(ScriptedTTS(lexicon), faults["tts"], skip=AHEAD),
    }
    turns, waits = [], []
    loop = asyncio.get_running_loop()
    try:
        async with dial(bot, lexicon=lexicon, silence=6.0, invariants=None, **providers) as caller:
            await caller.hears("Hello!")
            try:
                for question in questions:
                    said = await caller.says(question)
                    try:
                        reply = await caller.hears(timeout=30)
                        turns.append(told(reply.text, question))
                        waits.append(round(reply.started - said.speech_ended, 1))
                    except GaveUp:
                        turns.append("endless")
                        waits.append(0.0)
                report = await caller.hangs_up()
            except CallEnded:
                turns.append("hung up")
                waits.append(round(loop.time() - said.speech_ended, 1))
                report = await caller.report()
    finally:
        for provider in providers.values():
            provider.let_go()
        await asyncio.sleep(0)
    return Outcome(turns, waits, report, len(providers[fault.of].injected))


def row(fault: ProviderFault, *turns: str, wait: float = 0.8) -> Any:
    """A line of the table: a fault, what is heard after each question, and the longest wait, seconds."""
    when = "always" if fault.request is None else f"after_{fault.after}"
    return pytest.param(fault, turns, wait, id=f"{fault.of}-{fault.what.replace(' ', '_')}-{when}")


TABLE = [
    # Without words, or with those of no language, nothing tells that the caller is done: `TurnOptions.unfinished`.
    row(STTFault("late", 1.0), "answer", "answer", wait=1.2),
    row(STTFault("slow", 0.5), "answer", "answer"),
    row(STTFault("stalled"), "not understood, answer", "answer", wait=2.0),
    row(STTFault("stalled", request=None), "not understood", "not understood", "not understood, failed", wait=2.0),
    row(STTFault("deaf"), "not understood, answer", "answer", wait=2.0),
    row(STTFault("cut"), "answer", "answer"),
    row(STTFault("cut", request=None), "not understood", "not understood", "failed", wait=2.0),
    row(STTFault("ended"), "answer", "answer"),
    row(STTFault("cancelled"), "answer", "answer"),
    row(STTFault("rate limited", 7.0), "answer", "answer"),
    row(STTFault("empty transcript"), "still there", "answer", wait=1.2),
    row(STTFault("empty transcript", request=None), "still there", "still there", "goodbye", wait=1.2),
    row(STTFault("garbage"), "lost", "answer", wait=1.2),
    row(STTFault("old utterance"), "answer", "answer"),
    row(STTFault("repeated final"), "answer", "answer"),
    row(STTFault("after the flush"), "still there", "earlier", wait=1.2),
    row(STTFault("no flush"), "answer", "answer", wait=2.0),
    row(STTFault("no flush", request=None), "answer", "answer", "answer, failed", wait=2.1),
    row(STTFault("wrong flush"), "answer", "answer", wait=2.0),
    row(STTFault("wrong type"), "answer", "answer"),
    row(STTFault("wrong type", request=None), "not understood", "not understood", "failed", wait=2.0),
    row(LLMFault("late", 1.0), "answer", "answer", wait=1.5),
    row(LLMFault("slow", 0.5), "answer", "answer", wait=1.5),
    row(LLMFault("stalled"), "answer", "answer", wait=5.5),
    row(LLMFault("stalled", after=2), "begun, apology", "answer"),
    row(LLMFault("stalled", request=None), "apology", "apology", "failed", wait=10.5),
    row(LLMFault("deaf"), "answer", "answer", wait=5.5),
    row(LLMFault("cut"), "answer", "answer"),
    row(LLMFault("cut", after=2), "begun, apology", "answer"),
    row(LLMFault("cut", request=None), "apology", "apology", "failed"),
    row(LLMFault("ended"), "answer", "answer"),
    row(LLMFault("ended", after=2), "begun", "answer"),
    row(LLMFault("cancelled"), "answer", "answer"),
    row(LLMFault("cancelled", after=2), "begun, apology", "answer"),
    row(LLMFault("rate limited", 7.0), "answer", "answer"),
    row(LLMFault("rate limited", 7.0, request=None), "apology", "apology", "failed"),
    row(LLMFault("unknown tool"), "answer", "answer"),
    row(LLMFault("unknown tool", after=2), "begun, answer", "answer"),
    row(LLMFault("unknown tool", request=None), "apology", "apology", "failed"),
    row(LLMFault("broken arguments"), "answer", "answer"),
    row(LLMFault("wrong arguments"), "answer", "answer"),
    row(LLMFault("tool loop"), "apology", "apology"),
    row(LLMFault("same call twice"), "answer", "answer"),
    row(LLMFault("empty text"), "answer", "answer"),
    row(LLMFault("endless text", 0.3), "endless", "other, answer"),
    row(LLMFault("control characters"), "other, answer", "answer"),
    row(LLMFault("long token"), "other, answer", "answer"),
    row(LLMFault("wrong type"), "answer", "answer"),
    row(TTSFault("late", 1.0), "answer", "answer", wait=1.5),
    row(TTSFault("slow", 0.5), "answer", "answer", wait=1.1),
    row(TTSFault("stalled"), "answer", "answer", wait=5.5),
    row(TTSFault("stalled", after=2), "begun, apology", "answer"),
    row(TTSFault("stalled", request=None), "apology", "apology", "failed", wait=10.5),
    row(TTSFault("deaf"), "answer", "answer", wait=5.5),
    row(TTSFault("cut"), "answer", "answer"),
    row(TTSFault("cut", after=2), "begun, apology", "answer"),
    row(TTSFault("cut", request=None), "apology", "apology", "failed"),
    row(TTSFault("ended"), "answer", "answer"),
    row(TTSFault("ended", after=2), "begun", "answer"),
    row(TTSFault("cancelled"), "answer", "answer"),
    row(TTSFault("cancelled", after=2), "begun, apology", "answer"),
    row(TTSFault("rate limited", 7.0), "answer", "answer"),
    row(TTSFault("odd pieces"), "answer", "answer"),
    row(TTSFault("empty pieces"), "answer", "answer"),
    row(TTSFault("long piece"), "answer", "answer"),
    row(TTSFault("only words"), "answer", "answer"),
    row(TTSFault("only words", after=2), "begun", "answer"),
    row(TTSFault("only words", request=None), "apology", "apology", "failed"),
    row(TTSFault("no words"), "answer", "answer"),
    row(TTSFault("words backwards"), "answer", "answer"),
    row(TTSFault("words beyond"), "answer", "answer"),
    row(TTSFault("words before"), "answer", "answer"),
    row(TTSFault("words nan"), "answer", "answer"),
    row(TTSFault("words infinite"), "answer", "answer"),
    row(TTSFault("more audio"), "answer", "answer"),
    row(TTSFault("endless silence"), "apology", "answer", wait=10.5),
    row(TTSFault("endless silence", after=2), "begun", "answer"),
    row(TTSFault("endless silence", request=None), "apology", "apology", "failed", wait=10.5),
    row(TTSFault("wrong type"), "answer", "answer"),
    row(TTSFault("wrong audio"), "answer", "answer"),
    row(TTSFault("wrong audio", after=2), "begun, apology", "answer"),
]
ENDS = {"failed": "failed", "goodbye": "caller silent"}
"""How a call ended of which the last words were these; others were hung up by the caller."""


@pytest.mark.parametrize(("fault", "turns", "wait"), TABLE)
async def test_what_the_caller_hears_of_a_fault(fault: ProviderFault, turns: tuple[str, ...], wait: float) -> None:
    outcome = await called(fault, QUESTIONS[: len(turns)])
    assert tuple(outcome.turns) == turns
    assert max(outcome.waits) <= wait
    assert outcome.report.reason == ENDS.get(turns[-1].split(", ")[-1], "caller hung up")
    assert outcome.struck > 0
    abandoned = [f"{fault.of} provider"] if fault.what == "deaf" else []
    assert outcome.report.abandoned == abandoned
    written = " ".join(turn.heard for turn in outcome.report.turns)
    if "begun" in turns and fault.what != "only words":  # that voice says that it spoke what it did not
        assert ANSWERS[QUESTIONS[0]] not in written


def test_every_fault_of_a_provider_is_in_the_table() -> None:
    known = {(kind.of, what) for kind in PROVIDER_FAULTS for what in kind.WHATS}
    assert {(line.values[0].of, line.values[0].what) for line in TABLE} == known


async def speaking(caller_waits: float, *faults: TTSFault, cut: float = 0.0) -> tuple[CallReport, str]:
    """A call with one question to a faulty voice, in which the caller then waits, or speaks over the answer."""
    lexicon = Lexicon()
    tts = FaultyTTS(ScriptedTTS(lexicon), faults, skip=AHEAD)
    async with dial(bot, lexicon=lexicon, silence=1.0, invariants=None, llm=ScriptedLLM(answer), tts=tts) as caller:
        await caller.hears("Hello!")
        await caller.says(QUESTIONS[0])
        if cut:
            await caller.interrupts("wait please", after=cut)
        await caller.waits(caller_waits)
        report = await caller.hangs_up()
        heard = lexicon.text(bytes(caller.carrier.heard))
    return report, heard


async def test_a_voice_that_gives_empty_pieces_for_ever_in_the_middle_of_an_answer_is_given_up() -> None:
    report, heard = await speaking(25.0, TTSFault("endless silence", after=2))
    assert heard.startswith(f"Hello! We have {SAY.apology}")
    assert "voice.silent" in [fault.kind for fault in report.faults]


@pytest.mark.parametrize("what", ["words before", "words backwards", "words nan", "words infinite", "no words"])
async def test_times_of_words_that_cannot_be_put_no_unheard_word_into_memory(what: str) -> None:
    report, heard = await speaking(1.0, TTSFault(what), cut=0.7)
    remembered = report.turns[0].heard.split()
    assert "here." not in heard
    assert len(remembered) <= len(heard.split()) - 1  # behind the greeting
    assert report.turns[0].interrupted


async def test_a_voice_that_ends_in_the_middle_as_if_that_were_all_is_remembered_to_there() -> None:
    report, heard = await speaking(3.0, TTSFault("ended", after=3))
    assert heard == "Hello! We have tea"
    assert (report.turns[0].heard, report.turns[0].unheard) == ("We have tea", "and coffee here.")
