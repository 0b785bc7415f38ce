"""A coffee bar that answers its phone: Twilio carries, Google hears, Claude thinks, Cartesia speaks.

With keys in the environment (docs/twilio.md says which) it serves a number. With ``--simulate`` the same code and the
same SDKs talk to simulators of all four services, and a simulated caller rings; ``--json`` prints what came of it.
"""

import sys
from typing import Any, Literal

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, SileroVAD, SpokenText, TurnTaking
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.stt.google import GoogleSTT
from voiceloop.tts.cartesia import CartesiaTTS

INSTRUCTIONS = """You take orders on the phone of Corner Coffee: coffee, latte, cappuccino and mocha, small or large,
ready in five minutes. Speak as people do on the phone: one or two short sentences, no lists, no emoji. Ask what is
missing from an order, and say it back when it is complete. Look prices up, never guess them. When the caller is done,
say goodbye and hang up."""
PRICES = {"coffee": 3.00, "latte": 4.50, "cappuccino": 4.25, "mocha": 4.75}

# Built once, shared by all calls. Keys are read, and connections opened, before the first call.
stt = GoogleSTT(hints=("latte", "cappuccino", "mocha"))
llm = AnthropicLLM("claude-haiku-5-5")
tts = CartesiaTTS("a0e99841-438c-4a64-b679-ae501e7d6091")


async def price(drink: Literal["coffee", "latte", "cappuccino", "mocha"], size: Literal["small", "large"]) -> str:
    """Look up what a drink costs.

    Args:
        drink: what they want.
        size: how much of it.
    """
    return f"${PRICES[drink] + (1.00 if size == 'large' else 0.00):.2f}"


def bot(call: Call) -> Pipeline:
    """One call. The caller's voice comes in at the head of the list; the agent's leaves at its end."""
    return Pipeline(
        [
            call.transport,
            SileroVAD(),
            stt,
            TurnTaking(greeting="Corner Coffee, hi! What can I get you?"),
            LLMAggregator(llm, instructions=INSTRUCTIONS, tools=[price, call.hang_up]),
            SpokenText(),
            tts,
            AudioStreamer(),
        ]
    )


# What the simulated caller says, and what the simulated model answers each time it is asked. A dash: over the agent.
SIMULATED: list[tuple[Any, ...]] = [
    ("How much is a large latte?", ["One second.", ("price", {"drink": "latte", "size": "large"})], "It is $5.50."),
    (
        "What else do you have?",
        "We have coffee, latte, cappuccino and mocha, small or large, and all of them are good.",
    ),
    ("- One small mocha, please.", "One small mocha. Anything else?"),
    ("What did I order?", "You ordered one small mocha. It is ready in five minutes."),
    ("Thank you, goodbye.", ["Thank you, and goodbye.", ("hang_up", {})]),
]

if __name__ == "__main__":
    if sys.argv[1:]:  # --simulate; --help says more
        from voiceloop.cli.simulate import simulate

        sys.exit(simulate(bot, SIMULATED))
    from voiceloop.server.serve import serve

    serve(bot)
