"""Answers begun before it is certain that the caller is done: how much sooner they come, and what is thrown away.

Whole calls in virtual time with Google, Anthropic and Cartesia simulated (`voiceloop.sim.profiles`): profile ``fast``
has interim results 100 ms behind the words, a model that writes after 200 ms and a voice that sounds after 90 ms;
profile ``google`` has 250, 300 and 90 ms. With speculation and without it, the same callers say the same things.

The caller orders and books, without punctuation, which no recogniser knows before the end. In three turns of ten they
stop once where people do: after "and", inside a number, but also after what might have been all. These pauses are
log-normal, 0.45 s at the median (`turns_corpus` says why). A turn in which the agent speaks before its end counts as
cut off, and has no wait.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import log
from typing import Any

from turns_floors import Floor, main, percentile  # type: ignore[import-not-found, unused-ignore]

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, SpokenText, TurnTaking
from voiceloop.conversation import Message
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.report import CallReport
from voiceloop.sim.artificial import GAP, RATE, Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.services import KEY, MODELS, simulated_services
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import dial
from voiceloop.testing.dialled import Dialled
from voiceloop.tts.cartesia import CartesiaTTS
from voiceloop.turns.events import TurnOptions

SCENES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Of course. What can I do for you?",
        (
            "hi I would like to book a table | for tonight please",
            "can I order a large latte | with oat milk please",
            "I need two sandwiches | and a lemon cake",
            "I have a question about | my order from yesterday",
            "could you tell me | when you close today",
            "I want to change my booking | to next Friday",
            "hello um | do you have anything without nuts",
            "I would like to pick up a birthday cake on Saturday",
        ),
    ),
    (
        "Got it, I have put that on your order. Would you like anything else with it?",
        (
            "no that is all | thank you",
            "no thanks",
            "yes a | blueberry muffin please",
            "and | two croissants please",
            "maybe a small tea | with lemon",
            "a bottle of water please",
            "yes please make that | two of them",
            "that would be all",
        ),
    ),
    (
        "That works. For how many people should I reserve the table?",
        (
            "four people",
            "there will be | six of us",
            "for two adults and | three children",
            "just me",
            "five I think | no wait six",
            "for eight people please",
        ),
    ),
    (
        "Wonderful. At what time would you like to come?",
        (
            "at half past seven please",
            "around | eight in the evening",
            "um | tomorrow at noon",
            "would six | thirty be possible",
            "as early as you can",
            "at nine | or a bit later",
        ),
    ),
    (
        "Thank you. Which phone number can we reach you at?",
        (
            "five five five | zero one two | three four five six",
            "it is four one five | eight eight two | one nine zero zero",
            "zero seven nine | six six one two | zero three four",
            "you have it already",
        ),
    ),
    (
        "And what name should I put down for that?",
        (
            "my name is Maria | Lopez",
            "Johnson please",
            "it is for Anna | and Peter Schmidt",
            "put it under | Corner Street Books",
            "the name is Oliver Brown",
        ),
    ),
    (
        "It will be ready in about fifteen minutes. Do you want to pay now or when you pick it up?",
        (
            "when I pick it up",
            "now please | by card",
            "I would rather pay | in cash when I come",
            "can my brother | pay when he comes",
            "later is fine",
        ),
    ),
)
"""What the agent says, and what callers say then; where somebody might stop there is a bar."""
GREETING = "Corner Coffee, hello. How can I help?"
PAUSES = 0.3
"""Share of turns with a pause."""
MEDIAN, SPREAD, SHORTEST, LONGEST = 0.45, 0.65, 0.2, 2.5
"""Of those pauses: seconds, the standard deviation of their logarithm, and where they end."""
PER_CALL = 20
BETWEEN = 1.0
"""Seconds of silence after the agent before the caller speaks."""
FLOORS = (
    Floor("fast.speculation.wait_ms_p50", most=499),
    Floor("fast.speculation.wasted_tokens_percent", most=35),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One turn of the caller, and what the agent answers."""

    said: bytes = field(repr=False)
    text: str
    pause: float
    """Seconds inside it; 0 when there is none."""
    answer: str


@dataclass(slots=True)
class Tally:
    """What was seen in calls of one kind."""

    waits: list[float] = field(default_factory=list)
    """Seconds from the last sample of speech to the first of the answer, of turns that were not cut off."""
    cut_off: int = 0
    turns: int = 0
    reports: list[CallReport] = field(default_factory=list)


def script(lexicon: Lexicon, turns: int, seed: int) -> list[Line]:
    """What one caller says: any of the openings, then whatever answers what was asked."""
    draw = random.Random(f"speculation {seed}")
    found, scene = [], 0
    for _ in range(turns):
        text = draw.choice(SCENES[scene][1])
        parts = [part.strip() for part in text.split("|")]
        pause, at = 0.0, len(parts)
        if draw.random() < PAUSES and len(parts) > 1:
            pause, at = _pause(draw), draw.randrange(1, len(parts))
        before, after = " ".join(parts[:at]), " ".join(parts[at:])
        said = lexicon.speak(before)[0] + GAP * round(pause * RATE) + lexicon.speak(after)[0]
        scene = draw.randrange(1, len(SCENES))
        found.append(Line(said, text, pause, SCENES[scene][0]))
    return found


def _pause(draw: random.Random) -> float:
    while True:
        seconds = draw.lognormvariate(log(MEDIAN), SPREAD)
        if SHORTEST <= seconds <= LONGEST:
            return round(seconds, 3)


async def _calls(profile: str, options: TurnOptions, turns: int, seed: int) -> Tally:
    tally = Tally()
    for number in range(-(-turns // PER_CALL)):
        await _call(tally, profile, options, min(PER_CALL, turns - number * PER_CALL), seed * 1000 + number)
    return tally


async def _call(tally: Tally, profile: str, options: TurnOptions, turns: int, seed: int) -> None:
    lexicon = Lexicon()
    lines = script(lexicon, turns, seed)
    answers = [line.answer for line in lines]

    def answer(messages: Sequence[Message]) -> str:
        return answers[0]

    async with _dialled(profile, options, lexicon, answer) as caller:
        await caller.caller.hears()
        for line in lines:
            await _turn(tally, caller, line)
            if len(answers) > 1:
                del answers[0]
        tally.reports.append(await caller.hangs_up())


@asynccontextmanager
async def _dialled(profile: str, options: TurnOptions, lexicon: Lexicon, answer: Any) -> AsyncIterator[Dialled]:
    """A bot on the three services, called."""
    async with simulated_services(answer, profile=PROFILES[profile], lexicon=lexicon) as services:
        stt = GoogleSTT(channel=services.google.channel)
        llm = AnthropicLLM(MODELS[0], api_key=KEY, base_url=services.anthropic.base_url)
        tts = CartesiaTTS("voice", api_key=KEY, base_url=services.cartesia.base_url)

        def bot(call: Call) -> Pipeline:
            ears = [call.transport, EnergyVAD(), stt, TurnTaking(GREETING, options)]
            mouth = [SpokenText(), tts, AudioStreamer()]
            return Pipeline([*ears, LLMAggregator(llm, instructions="You take orders and bookings."), *mouth])

        async with dial(bot, stt=stt, llm=llm, tts=tts, lexicon=lexicon, invariants=None) as caller:
            yield caller


async def _turn(tally: Tally, caller: Dialled, line: Line) -> None:
    truth = caller.carrier.truth
    said = await caller.says(line.said)
    await caller.carrier.when(lambda: truth.first_sound_after(said.speech_ended) is not None)
    tally.turns += 1
    early = truth.first_sound_after(said.speech_started)
    first = truth.first_sound_after(said.speech_ended)
    if early is not None and early < said.speech_ended:
        tally.cut_off += 1
    elif first is not None:
        tally.waits.append(first - said.speech_ended)
    await caller.carrier.when(lambda: len(truth.playback.heard) - truth.playback.sound_end >= BETWEEN * RATE)


def measure(n: int = 200, seed: int = 0) -> dict[str, Any]:
    """So many turns with each profile, with speculation and without."""
    settings = {"speculation": TurnOptions(), "without": TurnOptions(speculations=0)}
    return {
        profile: {name: _figures(profile, options, n, seed) for name, options in settings.items()}
        for profile in ("fast", "google")
    }


def _figures(profile: str, options: TurnOptions, turns: int, seed: int) -> dict[str, Any]:
    tally = run_virtual(_calls(profile, options, turns, seed), strict=True)
    of = [report.speculation for report in tally.reports]
    tokens = sum(each.tokens for each in of)
    wasted = sum(each.wasted_tokens for each in of)
    characters = sum(report.usage.get("tts.characters", 0) for report in tally.reports)
    thrown = sum(each.wasted_characters for each in of)
    gained = [turn.gained for report in tally.reports for turn in report.turns]
    return {
        "turns": tally.turns,
        "cut_off": tally.cut_off,
        "wait_ms_p50": _ms(percentile(tally.waits, 50)),
        "wait_ms_p95": _ms(percentile(tally.waits, 95)),
        "begun_early": sum(each.made for each in of),
        "kept": sum(each.kept for each in of),
        "wasted_tokens_percent": round(100 * wasted / tokens, 1) if tokens else 0.0,
        "wasted_tokens": wasted,
        "tokens": tokens,
        "wasted_characters_percent": round(100 * thrown / characters, 1) if characters else 0.0,
        "wasted_characters": thrown,
        "gained_ms_mean": _ms(sum(gained) / len(gained) if gained else 0.0),
        "faults": sorted({fault.kind for report in tally.reports for fault in report.faults}),
    }


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def lines(result: dict[str, Any]) -> list[str]:
    """A table for people."""
    found = ["End of speech to first sound, ms; what was begun early:"]
    found.append(
        f"{'':24}{'p50':>6}{'p95':>6}{'cut off':>9}{'begun':>7}{'kept':>6}{'tokens':>9}{'voice':>8}{'gain':>6}"
    )
    for profile, settings in result.items():
        for name, row in settings.items():
            found.append(
                f"{profile + ', ' + name:24}{row['wait_ms_p50']!s:>6}{row['wait_ms_p95']!s:>6}"
                f"{row['cut_off']:>5}/{row['turns']:<3}{row['begun_early']:>7}{row['kept']:>6}"
                f"{row['wasted_tokens_percent']:>7.1f} %{row['wasted_characters_percent']:>6.1f} %"
                f"{row['gained_ms_mean']:>6}"
            )
            found += [f"  faults: {', '.join(row['faults'])}"] if row["faults"] else []
    return found


if __name__ == "__main__":
    main(__doc__, measure, lines, FLOORS, full=200, smoke=6)
