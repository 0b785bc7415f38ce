"""The first call pays for nothing that could be done before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.serving import BOT, PUBLIC, exchange, served, tea
from tests.server.shop import Room
from voiceloop import Call, Pipeline
from voiceloop.language import Cues
from voiceloop.languages import LANGUAGES
from voiceloop.server import opening
from voiceloop.server.opening import open_phone
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.warming import _VOWEL, warm_process
from voiceloop.sim.twilio import TOKEN
from voiceloop.turns.clauses import clauses_of
from voiceloop.turns.completeness import evidence
from voiceloop.turns.endpointing import SoFar
from voiceloop.turns.prosody import ending

OPTIONS = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)


def test_the_word_lists_of_a_language_are_ready() -> None:
    cues = Cues()
    clauses_of.cache_clear()
    warm_process([cues])
    before = clauses_of.cache_info()
    assert before.currsize == 1
    evidence(SoFar("I would like a", cues=cues))
    assert clauses_of.cache_info().misses == before.misses


def test_the_sound_that_warms_is_taken_for_a_voice() -> None:
    assert ending(_VOWEL) is not None  # else next to nothing would have been run


async def test_it_is_done_for_the_language_that_calls_begin_in(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[list[Cues]] = []
    done: list[str] = []
    monkeypatch.setattr(opening, "warm_process", warmed.append)
    bot = Room().bot()

    def german(call: Call) -> Pipeline:
        return Pipeline([bot(call)], language="de")

    async with open_phone(german, options=OPTIONS, warmed=lambda: done.append(f"after {len(warmed)}")) as phone:
        assert phone.calls == {}
    (languages,) = warmed
    assert [cues.hello for cues in languages] == [LANGUAGES["de"].cues.hello]
    assert done == ["after 1"]


@pytest.mark.realtime
@pytest.mark.long
async def test_the_first_call_imports_nothing(tmp_path: Path) -> None:
    watched = """def bot(call):
    before = set(sys.modules)
    call.on_end(lambda _: print("new:", call.id, sorted(set(sys.modules) - before)))"""
    file = tea(tmp_path, "import sys\n" + BOT.replace("def bot(call):", watched))
    async with served(tmp_path, file, "--port", "0") as process:
        await process.prints("Call status changes:")
        async with exchange(process) as sim:
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears(silence=0.2)
            await line.hangs_up()
            told = await process.prints("^new: CA")
    assert [line.partition("[")[2] for line in told] == ["]"]
