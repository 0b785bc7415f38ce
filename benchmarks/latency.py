"""How long a caller waits with Google, Anthropic and Cartesia, and what each lever buys.

Real providers and SDKs on simulators, in virtual time, with artificial speech; two profiles of how quick the services
are (`voiceloop.sim.profiles`: what was published of them). Measured is what the caller measures: from the last sample
of speech to the first sound of the answer, at the carrier; a network would come on top. The promise: the silence that
ends a turn, plus the model's first token, plus the voice's first audio, plus 20 ms at the median and 40 ms at the 95th
percentile; and the 10 ms that a block of a telephone's audio waits on average for its turn to be played.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median, quantiles
from typing import Any

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Processor, SpokenText, TurnTaking
from voiceloop.conversation import Message
from voiceloop.frames import AnswerEnd, Text
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.services import KEY, MODELS, simulated_services
from voiceloop.stt.google import GoogleOptions, GoogleSTT
from voiceloop.testing import dial
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS
from voiceloop.turns.events import TurnOptions

WORDS = ("latte", "mocha", "coffee", "tea", "small", "large", "with", "milk", "please", "sugar", "today")
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
    silence: float = 0.5
    google: GoogleOptions = field(default_factory=GoogleOptions)
    cartesia: CartesiaOptions = field(default_factory=CartesiaOptions)
    streams: bool = True
    rate: float | None = None


BASE = Setting("as it comes")
LEVERS = (
    BASE,
    replace(BASE, name="final results decide", google=GoogleOptions(settle="final")),
    replace(BASE, name="voice begins with a phrase", cartesia=CartesiaOptions(eager=False)),
    replace(BASE, name="voice gets the whole answer", streams=False),
    replace(BASE, name="model writes 50 tokens a second", rate=50.0),
    replace(BASE, name="0.3 s of silence end a turn", silence=0.3),
)


async def waits(profile: str, setting: Setting, turns: int) -> tuple[list[float], list[dict[str, float]]]:
    """Seconds that the caller waited in each turn, and the parts of each wait as the bot reports them."""
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
            ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.", TurnOptions(silence=setting.silence))]
            mouth = [*([] if setting.streams else [AllAtOnce()]), SpokenText(), tts, AudioStreamer()]
            return Pipeline([*ears, LLMAggregator(llm, instructions="Be brief."), *mouth])

        async with dial(bot, stt=stt, llm=llm, tts=tts, lexicon=lexicon) as caller:
            await caller.hears("Hello.")
            waited = []
            for _ in range(turns):
                await caller.says(" ".join(choose.choices(WORDS, k=choose.randint(2, 9))))
                reply = await caller.hears()
                assert reply.latency is not None
                waited.append(reply.latency)
            report = await caller.hangs_up()
    assert not report.faults, report.faults
    return waited, [turn.latency.as_ms() for turn in report.turns if turn.latency is not None]


def figures(profile: str, setting: Setting, turns: int) -> dict[str, Any]:
    """Median, 95th percentile and mean parts of one setting, in milliseconds."""
    waited, parts = run_virtual(waits(profile, setting, turns), strict=True)
    services = PROFILES[profile]
    promised = setting.silence + services.model + services.voice
    p50, p95 = median(waited), quantiles(waited, n=100)[PERCENTILE - 1]
    return {
        "setting": setting.name,
        "turns": len(waited),
        "p50": round(p50 * 1000),
        "p95": round(p95 * 1000),
        "sum_of_parts": round(promised * 1000),
        "kept": p50 <= promised + HALF_A_BLOCK + ALLOWED["p50"] and p95 <= promised + HALF_A_BLOCK + ALLOWED["p95"],
        "median_parts": {name: median(each[name] for each in parts) for name in parts[0]},
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--smoke", action="store_true", help="a few turns, no levers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    turns, levers = (20, (BASE,)) if options.smoke else (options.turns, LEVERS)
    results = {profile: [figures(profile, lever, turns) for lever in levers] for profile in PROFILES}
    if options.json:
        print(json.dumps(results, indent=2))
    for profile, rows in results.items():
        if not options.json:
            _table(profile, rows)
        if not rows[0]["kept"]:
            raise SystemExit(f"profile {profile}: {rows[0]['p50']} / {rows[0]['p95']} ms are more than promised")


def _table(profile: str, rows: list[dict[str, Any]]) -> None:
    base = rows[0]
    print(f"\nProfile {profile}, {base['turns']} turns each, ms; the services add up to {base['sum_of_parts']}:\n")
    print(f"{'':32}{'p50':>6}{'p95':>6}{'':4}{'endpoint':>9}{'stt':>6}{'llm':>6}{'tts':>6}{'rest':>6}")
    for row in rows:
        parts = row["median_parts"]
        rest = parts["output"] + parts["carrier"]
        cells = f"{parts['endpoint']:>9.0f}{parts['stt']:>6.0f}{parts['llm']:>6.0f}{parts['tts']:>6.0f}{rest:>6.0f}"
        gain = f"{row['p50'] - base['p50']:+d}" if row is not base else ""
        print(f"{row['setting']:32}{row['p50']:>6}{row['p95']:>6}    {cells}  {gain}")


if __name__ == "__main__":
    main()
