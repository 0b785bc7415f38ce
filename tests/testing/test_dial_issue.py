"""The example with which the plugin was asked for, as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceloop.cli.load import load_bot
from voiceloop.testing import Dial, script

coffee_bot = load_bot(Path(__file__).resolve().parents[2] / "examples" / "coffee_bot.py")
SAID = "Sure, a large latte. It takes five minutes, and you pay at the counter by the door."


@pytest.mark.parametrize("pause", [2.6, 4.0])
async def test_remembers_the_order(dial: Dial, pause: float) -> None:
    async with dial(coffee_bot, llm=script(SAID, "A small one.", pauses=[{5: pause}, {}])) as caller:
        await caller.hears("coffee")  # the agent's speech, in virtual time
        await caller.says("a large latte please")
        reply = await caller.hears()
        assert "latte" in reply.text
        assert reply.latency is not None
        assert reply.latency < 0.6
        await caller.interrupts("actually make it small", after=1.2)
        assert caller.call.conversation[-1].unheard
        await caller.hears("A small one.")
    assert caller.memory[2:] == [
        "assistant: Sure, a large latte. It takes five minutes, [cut: and you pay at the counter by the door.]",
        "user: actually make it small",
        "assistant: A small one.",
    ]
