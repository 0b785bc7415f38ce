"""A dialled call that is kept, replayed, and looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.conversation import Conversation
from voiceloop.replay import replay
from voiceloop.testing import Dial, Lexicon, ScriptedSTT, ScriptedTTS, script


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()
    ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking("Hello!")]
    return Pipeline([*ears, LLMAggregator(script("Okay.")), ScriptedTTS(lexicon), AudioStreamer()])


async def test_a_call_that_is_kept_is_replayed_outside_a_loop_only(dial: Dial, tmp_path: Path) -> None:
    kept = tmp_path / "order.vlog"
    async with dial(bot, llm=script("Two teas."), record=kept) as caller:
        await caller.hears()
        await caller.says("Two teas, please.")
        await caller.hears("two teas")
    with pytest.raises(
        RuntimeError, match=r"^replay\(\) runs a loop of its own: call it from a plain def test, or in a thread$"
    ):
        replay(kept, bot)
    with pytest.raises(RuntimeError, match="loop of its own"):  # said before the file is looked for
        replay(tmp_path / "nowhere.vlog")
    assert (await asyncio.to_thread(replay, kept, bot)).equal


def test_a_conversation_shows_its_lines_the_latest_and_no_more() -> None:
    conversation = Conversation()
    conversation.add("assistant", "Corner Coffee,\nhi!")
    conversation.add("user", "Two teas.")
    shown = "<Conversation of 2 messages\n  assistant: Corner Coffee, hi!\n  user: Two teas.>"
    assert repr(conversation) == shown
    for number in range(30):
        conversation.add("user", f"{number} " + "x" * 1000)
    lines = repr(conversation).splitlines()
    assert lines[:2] == ["<Conversation of 32 messages", "  … 12 before"]
    assert len(lines) == 22
    assert lines[2].startswith("  user: 10 xxx")
    assert max(map(len, lines)) < 220
