"""One language on the bot: it reaches the recogniser, the voice, the library's phrases and the cue words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import pytest

from voiceloop import (
    LANGUAGES,
    AdaptiveEndpointing,
    AudioStreamer,
    Call,
    EnergyVAD,
    Language,
    LanguageError,
    LLMAggregator,
    Phrases,
    Pipeline,
    TurnTaking,
)
from voiceloop.conversation import Message
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.moonshine import Moonshine
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, script
from voiceloop.turns.events import TurnOptions

Phone = Callable[..., Any]


class Ears(ScriptedSTT):
    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__(lexicon)
        self.asked: list[str] = []

    def for_language(self, language: str) -> Self:
        self.asked.append(language)
        return self


class Mouth(ScriptedTTS):
    """Makes a voice for each language."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__(lexicon)
        self.lexicon = lexicon
        self.voices: dict[str, Mouth] = {}

    def for_language(self, language: str) -> Any:
        return self.voices.setdefault(language, Mouth(self.lexicon))


async def test_it_reaches_recogniser_voice_and_call(phone: Phone, lexicon: Lexicon) -> None:
    ears, mouth = Ears(lexicon), Mouth(lexicon)
    async with phone(greeting="Hallo!", stt=ears, tts=mouth, language="de-AT", llm=script("Gern.")) as caller:
        await caller.hears("Hallo!")
        await caller.says("einen Kaffee bitte")
        await caller.hears("Gern.")
        assert caller.call.language == "de-AT"
        assert caller.call.voice is mouth.voices["de-AT"]
        await caller.hangs_up()
    assert (ears.asked, list(mouth.voices)) == (["de-AT"], ["de-AT"])


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
async def test_an_apology_is_spoken_in_the_bots_language(phone: Phone, tag: str) -> None:
    broken = ScriptedLLM(["Okay."], failing=Failing("raise"))
    async with phone(language=tag, llm=broken) as caller:
        await caller.says("something")
        reply = await caller.hears()
        assert reply.text == LANGUAGES[tag].phrases.apology
        await caller.hangs_up()


async def test_a_bot_may_have_phrases_of_its_own(phone: Phone) -> None:
    own = replace(LANGUAGES["en"], phrases=Phrases(apology="Oh dear."))
    async with phone(language=own, llm=ScriptedLLM(["Okay."], failing=Failing("raise"))) as caller:
        await caller.says("something")
        await caller.hears("Oh dear.")
        await caller.hangs_up()


async def test_an_entry_of_the_table_can_be_replaced_and_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "da", Language("da", Phrases(goodbye="Farvel.")))
    monkeypatch.setitem(LANGUAGES, "en", Language("en", Phrases(goodbye="Cheerio.")))
    assert Pipeline([AudioStreamer()], language="da-DK").language.phrases.goodbye == "Farvel."
    assert Pipeline([AudioStreamer()], language="en-GB").language.phrases.goodbye == "Cheerio."


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ("a latte please", TurnOptions().finished),
        ("a latte and", TurnOptions().unfinished),
        ("a latte, um.", TurnOptions().unfinished),
        ("is that the AND?", TurnOptions().unfinished),
        ("how much is a brand", TurnOptions().finished),
    ],
)
async def test_a_caller_who_stops_after_and_is_given_more_time(phone: Phone, said: str, waited: float) -> None:
    async with phone(llm=script("Sure."), endpointing=AdaptiveEndpointing) as caller:
        await caller.says(said)
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    (turn,) = report.turns
    assert turn.latency is not None
    assert turn.latency.endpoint == pytest.approx(waited, abs=0.001)


async def test_cue_words_are_those_of_the_language(phone: Phone) -> None:
    async with phone(language="de", llm=script("Gern."), endpointing=AdaptiveEndpointing) as caller:
        await caller.says("einen Kaffee und")
        await caller.hears("Gern.")
        report = await caller.hangs_up()
    assert report.turns[0].latency.endpoint == pytest.approx(TurnOptions().unfinished, abs=0.001)


async def test_the_word_a_phone_is_answered_with_is_the_languages(dial: Phone, lexicon: Lexicon) -> None:
    seen: list[list[str]] = []

    def answer(messages: Sequence[Message]) -> str:
        seen.append([message.text for message in messages])
        return "Va bene."

    def bot(call: Call) -> Pipeline:
        # An example ends with the agent, and the greeting follows it: a caller must have spoken in between.
        model = LLMAggregator(ScriptedLLM(answer), examples=[("un tè", "Certo.")])
        voice, ears = ScriptedTTS(lexicon), ScriptedSTT(lexicon)
        stages = [call.transport, EnergyVAD(), ears, TurnTaking("Ciao!"), model, voice, AudioStreamer()]
        return Pipeline(stages, language="it")

    async with dial(bot, llm=ScriptedLLM(answer), lexicon=lexicon) as caller:
        await caller.hears("Ciao!")
        await caller.says("un caffè")
        await caller.hears("Va bene.")
        await caller.hangs_up()
    assert seen == [["un tè", "Certo.", "Pronto?", "Ciao!", "un caffè"]]


def test_a_language_that_is_not_in_the_table_says_what_is() -> None:
    with pytest.raises(LanguageError, match=r"'pl' is not in the table .*de, en.*Language\('pl'"):
        Pipeline([AudioStreamer()], language="pl")


@pytest.mark.parametrize("tag", ["", "english", "e", "en_US", "12"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(LanguageError, match="expected a language tag such as 'en'"):
        Pipeline([AudioStreamer()], language=tag)


def test_a_provider_that_does_not_know_the_language_says_what_it_knows() -> None:
    assert isinstance(Moonshine().for_language("en-GB"), Moonshine)
    with pytest.raises(LanguageError, match="Moonshine knows en, and the bot's language is 'fr'"):
        Moonshine().for_language("fr")
