"""What the model remembers after a barge-in, against what the caller heard: seeded calls in virtual time.

Google, Anthropic and Cartesia on simulators, their SDKs between, 120 ms round trip with jitter. In each call the agent
is cut off at a random moment of a random answer; the next request to the model is compared, word by word, with the
words that were played whole at the carrier.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, SpokenText, TurnTaking
from voiceloop.conversation import Message
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.llm.history import CUT
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import GaveUp
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.services import KEY, MODELS, simulated_services
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import dial
from voiceloop.tts.cartesia import CartesiaTTS

ONE_WAY = 0.06
JITTER = 0.01
WORDS = ("coffee", "latte", "mocha", "tea", "cake", "bread", "soup", "small", "large", "warm", "sweet", "and")
EXACT = 0.90
EXACT_OF_FEW = 0.70
"""What a short run must show: with so few calls chance decides."""
AHEAD = 0
"""Words that may be remembered and were not heard."""


@dataclass(frozen=True)
class Cut:
    """One barge-in."""

    seed: int
    heard: int
    """Words played whole."""
    remembered: int
    stopped: float
    """Seconds from the caller's first sample to the agent's last sound."""


async def one(seed: int) -> Cut | None:
    """A call with one barge-in; None when the answer was over before it."""
    choose = random.Random(seed)
    words = [choose.choice(WORDS) for _ in range(choose.randint(8, 40))]
    text = " ".join(f"{word}." if choose.random() < 0.15 else word for word in words) + "."
    lexicon = Lexicon()

    def answer(messages: Sequence[Message]) -> str:
        return "Sure." if "stop" in messages[-1].text else text

    carrier = CarrierOptions(seed=seed, delay_to_server=ONE_WAY, delay_from_server=ONE_WAY, jitter=JITTER)
    async with simulated_services(answer, profile=PROFILES["google"], lexicon=lexicon) as services:
        stt = GoogleSTT(channel=services.google.channel)
        llm = AnthropicLLM(MODELS[0], api_key=KEY, base_url=services.anthropic.base_url)
        tts = CartesiaTTS("voice", api_key=KEY, base_url=services.cartesia.base_url)

        def bot(call: Call) -> Pipeline:
            ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
            return Pipeline([*ears, LLMAggregator(llm, instructions="Talk."), SpokenText(), tts, AudioStreamer()])

        async with dial(bot, stt=stt, llm=llm, tts=tts, lexicon=lexicon, carrier=carrier) as caller:
            await caller.hears("Hello.")
            before = len(lexicon.text(bytes(caller.carrier.heard)).split())
            await caller.says("what do you have")
            try:
                cut = await caller.interrupts("stop now", after=choose.uniform(0.05, 0.4 * len(words)))
            except GaveUp:
                return None
            heard = lexicon.text(bytes(caller.carrier.heard)).split()[before:]
            await caller.hears("Sure.")
            await caller.hangs_up()
    message = services.anthropic.requests[-1].messages[-2]
    said = message.text.removesuffix(f" {CUT}")
    remembered = said.split() if message.role == "assistant" and said != "Hello." else []
    assert text.split()[: len(remembered)] == remembered, (seed, message.text)
    return Cut(seed, len(heard), len(remembered), cut.agent_stopped - cut.speech.speech_started)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--smoke", action="store_true", help="a few calls")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = 20 if options.smoke else options.calls
    cuts: list[Cut] = []
    seed = 0
    while len(cuts) < wanted and seed < 3 * wanted:
        found = run_virtual(one(seed), strict=True)
        if found is not None:
            cuts.append(found)
        seed += 1
    off = Counter(cut.remembered - cut.heard for cut in cuts)
    stopped = sorted(cut.stopped for cut in cuts)
    result: dict[str, Any] = {
        "barge_ins": len(cuts),
        "exact": round(off[0] / len(cuts), 4),
        "words_off": {str(words): count for words, count in sorted(off.items())},
        "stopped_ms_p50": round(median(stopped) * 1000),
        "stopped_ms_max": round(stopped[-1] * 1000),
    }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print(
            f"{len(cuts)} barge-ins at {2 * ONE_WAY * 1000:g} ms round trip, up to {JITTER * 1000:g} ms jitter each way"
        )
        print(f"remembered exactly what was heard: {result['exact']:.1%}; words off: {result['words_off']}")
        print(f"silent after {result['stopped_ms_p50']} ms at the median, {result['stopped_ms_max']} ms at most")
    if result["exact"] < (EXACT_OF_FEW if options.smoke else EXACT) or max(off) > AHEAD:
        raise SystemExit("memory and ear differ more than promised")


if __name__ == "__main__":
    main()
