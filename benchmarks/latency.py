"""How long a caller waits with Google, Anthropic and Cartesia, and what each lever buys.

Real providers and SDKs on simulators, in virtual time, with artificial speech; two profiles of how quick the services
are (`voiceloop.sim.profiles`: what was published of them). Measured is what the caller measures: from the last sample
of speech to the first sound of the answer, at the carrier; a network would come on top.

The promise, of every turn: the silence that ended it, plus the model's first token, plus the voice's first audio, less
what of these two was over by then because the answer had been begun before (as the bot reports it: `Turn.gained`). On
top come 20 ms at the median and 40 ms at the 95th percentile, and the 10 ms that a block of a telephone's audio waits
on average for its turn to be played. The silence is what was decided in that turn, for it depends on what was said;
where it is fixed it must be the one that is set.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median, quantiles
from typing import Any

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Processor, SpokenText, TurnTaking
from voiceloop.conversation import Message
from voiceloop.frames import AnswerEnd, Text
from voiceloop.latency import Latency
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.report import Turn
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.services import KEY, MODELS, simulated_services
from voiceloop.stt.google import GoogleOptions, GoogleSTT
from voiceloop.testing import dial
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import TurnOptions

ORDERS = (
    ("one", "two", "a", "and a"),
    ("small", "large", ""),
    ("latte", "mocha", "coffee", "tea"),
    ("with milk", "with sugar", "with milk and sugar", ""),
    ("please", "today please", "thank you", ""),
)
"""What callers say: one of each."""
ANSWERS = (
    "It is ready in five minutes, thank you for waiting.",
    "Sure, one large latte with milk. Would you like anything else with that?",
    "We have coffee, latte, cappuccino and mocha, all of them small or large.",
    "That makes two coffees and a tea, so you can pay at the counter.",
)
PERCENTILE = 95
ALLOWED = {"p50": 0.020, "p95": 0.040}
"""Seconds above the sum of the parts."""
HALF_A_BLOCK = 0.010
"""A telephone plays in blocks of 20 ms: what comes between two of them waits, 10 ms on average."""


class AllAtOnce(Processor):
    """Holds an answer's text back until all of it is written, as pipelines without streaming do."""

    def __init__(self) -> None:
        self._held = ""

    def on_text(self, text: Text) -> None:
        self._held += text.text

    def on_answer_end(self, end: AnswerEnd) -> None:
        held, self._held = self._held, ""
        if held:
            self.push(Text(end.answer, held))


@dataclass(frozen=True)
class Setting:
    """How the bot is set up, and by what name that goes."""

    name: str
    turns: TurnOptions = field(default_factory=TurnOptions)
    endpointing: Callable[[], Endpointing] = AdaptiveEndpointing
    google: GoogleOptions = field(default_factory=GoogleOptions)
    cartesia: CartesiaOptions = field(default_factory=CartesiaOptions)
    streams: bool = True
    rate: float | None = None


BASE = Setting("as it comes")
FIXED = replace(
    BASE,
    name="0.5 s of silence, none begun before",
    turns=TurnOptions(silence=0.5, speculations=0),
    endpointing=FixedSilence,
)
LEVERS = (
    BASE,
    replace(BASE, name="final results decide", google=GoogleOptions(settle="final")),
    replace(BASE, name="voice begins with a phrase", cartesia=CartesiaOptions(eager=False)),
    replace(BASE, name="voice gets the whole answer", streams=False),
    replace(BASE, name="model writes 50 tokens a second", rate=50.0),
    replace(BASE, name="begun only when the turn is over", turns=TurnOptions(speculations=0)),
    replace(BASE, name="0.3 s of silence end a turn", turns=TurnOptions(silence=0.3), endpointing=FixedSilence),
    FIXED,
)
PROMISED = (BASE, FIXED)
"""What the promise is checked of. The others give up something that it counts on."""


async def waits(profile: str, setting: Setting, turns: int) -> tuple[list[float], list[Turn]]:
    """Seconds that the caller waited in each turn, and the turns as the bot reports them."""
    choose = random.Random(4)
    lexicon = Lexicon()

    def answer(messages: Sequence[Message]) -> str:
        return ANSWERS[len(messages) % len(ANSWERS)]

    quick = PROFILES[profile] if setting.rate is None else replace(PROFILES[profile], rate=setting.rate)
    async with simulated_services(answer, profile=quick, lexicon=lexicon) as services:
        stt = GoogleSTT(channel=services.google.channel, options=setting.google)
        llm = AnthropicLLM(MODELS[0], api_key=KEY, base_url=services.anthropic.base_url)
        tts = CartesiaTTS("voice", api_key=KEY, base_url=services.cartesia.base_url, options=setting.cartesia)

        def bot(call: Call) -> Pipeline:
            taking = TurnTaking("Hello.", setting.turns, endpointing=setting.endpointing())
            ears = [call.transport, EnergyVAD(), stt, taking]
            mouth = [*([] if setting.streams else [AllAtOnce()]), SpokenText(), tts, AudioStreamer()]
            return Pipeline([*ears, LLMAggregator(llm, instructions="Be brief."), *mouth])

        async with dial(bot, stt=stt, llm=llm, tts=tts, lexicon=lexicon) as caller:
            await caller.hears("Hello.")
            waited = []
            for _ in range(turns):
                await caller.says(" ".join(filter(None, map(choose.choice, ORDERS))))
                reply = await caller.hears()
                assert reply.latency is not None
                waited.append(reply.latency)
            report = await caller.hangs_up()
    assert not report.faults, report.faults
    return waited, report.turns


def figures(profile: str, setting: Setting, turns: int) -> dict[str, Any]:
    """Median, 95th percentile and mean parts of one setting, in milliseconds."""
    waited, told = run_virtual(waits(profile, setting, turns), strict=True)
    latencies = [turn.latency for turn in told if turn.latency is not None]
    services = PROFILES[profile].model + PROFILES[profile].voice
    above = [
        wait - _silence(setting, latency) - max(0.0, services - turn.gained)
        for wait, turn, latency in zip(waited, told, latencies, strict=True)
    ]
    parts = [latency.as_ms() for latency in latencies]
    p50, p95 = _middle_and_most(waited)
    above_p50, above_p95 = _middle_and_most(above)
    return {
        "setting": setting.name,
        "turns": len(waited),
        "p50": round(p50 * 1000),
        "p95": round(p95 * 1000),
        "services": round(services * 1000),
        "gained_p50": round(median(turn.gained for turn in told) * 1000),
        "above_p50": round(above_p50 * 1000),
        "above_p95": round(above_p95 * 1000),
        "kept": above_p50 <= HALF_A_BLOCK + ALLOWED["p50"] and above_p95 <= HALF_A_BLOCK + ALLOWED["p95"],
        "median_parts": {name: median(each[name] for each in parts) for name in parts[0]},
    }


def _silence(setting: Setting, latency: Latency) -> float:
    """Seconds of silence that were to end a turn."""
    return setting.turns.silence if setting.endpointing is FixedSilence else latency.endpoint


def _middle_and_most(values: Sequence[float]) -> tuple[float, float]:
    return median(values), quantiles(values, n=100)[PERCENTILE - 1]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--smoke", action="store_true", help="a few turns, only what the promise is checked of")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    turns, levers = (20, PROMISED) if options.smoke else (options.turns, LEVERS)
    results = {profile: [figures(profile, lever, turns) for lever in levers] for profile in PROFILES}
    if options.json:
        print(json.dumps(results, indent=2))
    for profile, rows in results.items():
        if not options.json:
            _table(profile, rows)
        for row in rows:
            if not row["kept"] and row["setting"] in [each.name for each in PROMISED]:
                more = f"{row['above_p50']} / {row['above_p95']} ms"
                raise SystemExit(f"profile {profile}, {row['setting']}: {more} more than the sum of the parts")


def _table(profile: str, rows: list[dict[str, Any]]) -> None:
    base = rows[0]
    print(f"\nProfile {profile}, {base['turns']} turns each, ms; model and voice take {base['services']}:\n")
    print(
        f"{'':36}{'p50':>6}{'p95':>6}{'':4}{'endpoint':>9}{'stt':>6}{'llm':>6}{'tts':>6}{'rest':>6}{'gained':>8}{'above':>7}"
    )
    for row in rows:
        parts = row["median_parts"]
        rest = parts["output"] + parts["carrier"]
        cells = f"{parts['endpoint']:>9.0f}{parts['stt']:>6.0f}{parts['llm']:>6.0f}{parts['tts']:>6.0f}{rest:>6.0f}"
        cells += f"{row['gained_p50']:>8}{row['above_p50']:>7}"
        gain = f"{row['p50'] - base['p50']:+d}" if row is not base else ""
        print(f"{row['setting']:36}{row['p50']:>6}{row['p95']:>6}    {cells}  {gain}")


if __name__ == "__main__":
    main()
