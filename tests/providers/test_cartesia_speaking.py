"""What `CartesiaTTS` speaks: each word once, in order, with its true time, whatever happens to text and socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from voiceloop.frames import Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.tts.base import Speech
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS

TEXT = "Well, we have coffee and tea, and two kinds of cake. The soup is tomato today. Would you like some?"
FAST = CartesiaSimOptions(first=0.02, pace=20.0)


async def script(tokens: Sequence[str | float]) -> AsyncIterator[str]:
    """Text and, as numbers, seconds in which none comes."""
    for token in tokens:
        if isinstance(token, str):
            yield token
        else:
            await asyncio.sleep(token)


@asynccontextmanager
async def voice(sim: CartesiaSim, options: CartesiaOptions | None = None) -> AsyncIterator[CartesiaTTS]:
    async with sim.listening() as url:
        tts = CartesiaTTS("any", base_url=url, options=options)
        try:
            yield tts
        finally:
            await tts.aclose()


async def said(tts: CartesiaTTS, tokens: Sequence[str | float]) -> list[Speech]:
    async with aclosing(tts.generate(script(tokens))) as pieces:
        return [speech async for speech in pieces]


def audio_of(got: Sequence[Speech]) -> bytes:
    return b"".join(speech.audio for speech in got)


def words_of(got: Sequence[Speech]) -> list[Word]:
    return [word for speech in got for word in speech.words]


def check(lexicon: Lexicon, text: str, got: Sequence[Speech]) -> None:
    """Each word of the text is heard once and whole, and is told with the time at which it is."""
    heard = [word for word in lexicon.listen(audio_of(got)) if word.whole]
    assert [word.text for word in heard] == text.split()
    told = words_of(got)
    assert [word.text for word in told] == text.split()
    for word, truth in zip(told, heard, strict=True):
        assert word.start == pytest.approx(truth.start / 8000, abs=0.001)
        assert word.end == pytest.approx(truth.end / 8000, abs=0.001)


@st.composite
def scripts(draw: st.DrawFn) -> list[str | float]:
    """A text in pieces of any size, with pauses anywhere."""
    words = draw(st.lists(st.sampled_from(["tea", "coffee,", "cake.", "a", "Yes!", "9:30", "o'clock"]), max_size=14))
    text = " ".join(["Hello", *words])
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=12)))
    tokens: list[str | float] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        tokens.append(text[start:end])
        tokens.append(draw(st.sampled_from([0.0, 0.0, 0.01, 0.05, 0.19, 0.25, 0.5, 0.79, 0.85, 1.02, 2.5])))
    return tokens


def joined(tokens: Sequence[str | float]) -> str:
    return "".join(token for token in tokens if isinstance(token, str))


times = st.sampled_from(["before", "with", "after"])
buffering = st.sampled_from([0, 3000])
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


@quick
@given(scripts(), times, buffering, st.sampled_from([1.0, 8.0, 0.0]))
async def test_every_word_is_spoken_once_however_the_text_is_divided_and_whenever_it_pauses(
    tokens: list[str | float], told: str, delay: int, pace: float
) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(times=told, pace=pace))
    async with voice(sim, CartesiaOptions(max_buffer_delay_ms=delay)) as tts:
        check(lexicon, joined(tokens), await said(tts, tokens))
    assert "".join(sim.transcripts) == joined(tokens)  # verbatim, space for space
    assert [socket.refused for socket in sim.sockets] == [[]]
    assert {context.outcome for context in sim.contexts} == {"done"}


@quick
@given(
    scripts(),
    times,
    buffering,
    st.sets(st.integers(0, 60), max_size=3),
    st.sets(st.integers(0, 12), max_size=2),
)
async def test_every_word_is_spoken_once_though_sockets_are_cut(
    tokens: list[str | float], told: str, delay: int, sent: set[int], received: set[int]
) -> None:
    lexicon = Lexicon()
    options = replace(FAST, times=told, drops_sent=frozenset(sent), drops_received=frozenset(received))
    sim = CartesiaSim(lexicon, options)
    async with voice(sim, CartesiaOptions(max_buffer_delay_ms=delay, tries=8)) as tts:
        got = await said(tts, tokens)
    if told != "after":
        check(lexicon, joined(tokens), got)
        return
    # A word whose time had not come may have been heard whole: it is spoken again, and none is lost.
    assert [word.text for word in words_of(got)] == joined(tokens).split()
    heard = lexicon.text(audio_of(got)).split()
    assert len(heard) <= len(joined(tokens).split()) + len(sent)
    rest = iter(heard)
    assert all(word in rest for word in joined(tokens).split())


# --- an answer as it is written -----------------------------------------------------------------------------


async def times_of(tts: CartesiaTTS, tokens: Sequence[str | float]) -> list[tuple[float, Speech]]:
    """What came, and when."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with aclosing(tts.generate(script(tokens))) as pieces:
        return [(loop.time() - began, speech) async for speech in pieces]


async def test_the_first_phrase_is_spoken_while_the_text_goes_on() -> None:
    lexicon = Lexicon()
    tokens: list[str | float] = [token for word in TEXT.split(" ") for token in (f"{word} ", 0.1)]
    async with voice(CartesiaSim(lexicon)) as tts:
        await tts.warm()
        got = await times_of(tts, tokens)
    # "Well," is known to end when the space behind it is there; the rest is the simulated voice's 90 ms.
    assert got[0][0] == pytest.approx(0.09, abs=0.005)
    check(lexicon, TEXT, [speech for _, speech in got])


async def test_audio_is_passed_on_untouched() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon)
    async with voice(sim) as tts:
        got = await said(tts, ["One large mocha."])
    assert audio_of(got) == lexicon.speak("One large mocha.")[0]
    assert sim.contexts[0].settings == {
        "context_id": sim.contexts[0].id,
        "model_id": "sonic-3",
        "voice": {"id": "any"},
        "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
        "max_buffer_delay_ms": 0,
        "add_timestamps": True,
        "use_normalized_timestamps": False,
    }


async def test_words_that_are_there_are_spoken_when_the_text_pauses() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon)
    async with voice(sim) as tts:
        await tts.warm()
        got = await times_of(tts, ["Let me look up the opening hours of ", 5.0, "the shop."])
    early = [speech for at, speech in got if at < 2.0]
    assert lexicon.text(audio_of(early)) == "Let me look up the opening hours of"
    check(lexicon, "Let me look up the opening hours of the shop.", [speech for _, speech in got])


@pytest.mark.parametrize("text", ["Let me check.", "One moment…", "I see, then:"])
async def test_a_last_word_that_punctuation_closes_needs_no_space_behind_it(text: str) -> None:
    lexicon = Lexicon()
    async with voice(CartesiaSim(lexicon)) as tts:
        got = await times_of(tts, [text, 3.0, " Done."])
    assert lexicon.text(audio_of([speech for at, speech in got if at < 2.0])) == text


async def test_a_word_that_may_still_grow_waits() -> None:
    lexicon = Lexicon()
    async with voice(CartesiaSim(lexicon)) as tts:
        got = await said(tts, ["It is 3", 3.0, ".", 3.0, "50 for a coff", 3.0, "ee"])
    check(lexicon, "It is 3.50 for a coffee", got)


@pytest.mark.parametrize(("pause", "contexts"), [(0.4, 1), (0.7, 1), (0.95, 2), (1.05, 2), (30.0, 2)])
async def test_after_a_pause_it_goes_on_in_a_new_context(pause: float, contexts: int) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(first=0.05, pace=0.0))
    async with voice(sim) as tts:
        got = await said(tts, ["Let me check. ", pause, "It is open."])
    check(lexicon, "Let me check. It is open.", got)
    assert len(sim.contexts) == contexts
    assert [context.inputs[-1].goes_on for context in sim.contexts] == [False] * contexts
    assert sim.sockets[0].refused == []


async def test_a_context_that_expires_early_costs_no_word() -> None:
    for late_input in ("error", "ignore"):
        for told in (True, False):
            lexicon = Lexicon()
            options = replace(FAST, expiry=0.3, late_input=late_input, expiry_done=told)
            async with voice(CartesiaSim(lexicon, options)) as tts:
                got = await said(tts, ["Let me check. ", 0.75, "It is open. ", 0.75, "All day."])
            check(lexicon, "Let me check. It is open. All day.", got)


async def test_text_that_cannot_be_spoken_is_a_moment_of_silence_and_asks_for_nothing() -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        assert audio_of(await said(tts, ["👍", " … "])) == b"\xff" * 160
        assert await said(tts, [" ", "\n"]) == []
    assert sim.contexts == []


async def test_marks_before_the_first_word_are_spoken_with_it() -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        await said(tts, ["… ", 1.0, "- ", 1.0, "Tea?"])
    assert sim.transcripts == ["… - Tea?"]


@pytest.mark.parametrize("text", ["こんにちは。お茶はいかがですか。", "你好，要喝茶吗？好的。"])
async def test_scripts_without_spaces_are_spoken_sentence_by_sentence(text: str) -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        got = await times_of(tts, [token for letter in text for token in (letter, 0.05)])
    assert "".join(sim.transcripts) == text
    assert len(sim.contexts[0].inputs) >= 2
    assert got[0][0] < 0.05 * len(text)


async def test_a_tag_of_cartesia_is_handed_over_whole() -> None:
    sim = CartesiaSim(options=FAST)
    async with voice(sim, CartesiaOptions(max_buffer_delay_ms=2000)) as tts:
        await said(tts, ["Wait <br", 0.3, 'eak time="1', 0.3, 's"/> please <spell>', 0.1, "AB</spell> now"])
    assert "".join(sim.transcripts) == 'Wait <break time="1s"/> please <spell>AB</spell> now'
    for given_ in sim.contexts[0].inputs:
        assert given_.transcript.count("<") == given_.transcript.count(">")


async def test_an_answer_is_not_asked_for_at_once_if_nobody_takes_it() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon)
    text = " ".join(f"This is sentence number {n} of a long answer." for n in range(60))
    async with voice(sim) as tts:
        pieces = tts.generate(script([text]))
        got = [await anext(pieces)]
        await asyncio.sleep(60.0)
        assert sum(map(len, sim.transcripts)) < len(text) / 6
        async with aclosing(pieces):
            async for speech in pieces:
                got.append(speech)
                await asyncio.sleep(len(speech.audio) / 8000)
    check(lexicon, text, got)


async def test_what_the_text_raises_comes_out_as_it_is() -> None:
    sim = CartesiaSim()

    async def broken() -> AsyncIterator[str]:
        yield "One two three. "
        raise OSError("the model broke")

    async with voice(sim) as tts:
        with pytest.raises(OSError, match=r"^the model broke$"):
            async for _ in tts.generate(broken()):
                pass
        assert audio_of(await said(tts, ["Yes."]))


# --- barge-in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0, 3, 10**6])
async def test_late_chunks_of_a_cut_answer_do_not_get_into_the_next(late: int) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(late_chunks=late, cancel_done=late == 3))
    loop = asyncio.get_running_loop()
    async with voice(sim) as tts:
        for number in range(5):
            pieces = tts.generate(script([TEXT]))
            for _ in range(number):
                await anext(pieces)
            before = loop.time()
            await pieces.aclose()
            assert loop.time() == before  # waits for nothing
            check(lexicon, "Sure, a mocha.", await said(tts, ["Sure, ", "a mocha."]))
        assert len(sim.sockets) == 1
    cut = [context for context in sim.contexts if context.transcript != "Sure, a mocha."]
    assert [context.cancelled_at is not None for context in cut] == [True] * 4  # the first was asked for nothing


async def test_fifty_answers_take_one_socket() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(concurrency=50))
    async with voice(sim) as tts:
        await tts.warm()
        texts = [f"Answer number {n} of fifty. It is short." for n in range(50)]
        for text, got in zip(texts, await asyncio.gather(*(said(tts, [text]) for text in texts)), strict=True):
            check(lexicon, text, got)
    assert len(sim.sockets) == 1
    assert len({context.id for context in sim.contexts}) == 50


# --- the socket ---------------------------------------------------------------------------------------------


async def test_an_idle_socket_is_renewed_before_it_is_closed() -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        await tts.warm()
        await asyncio.sleep(1000.0)
        assert [socket.opened_at for socket in sim.sockets] == pytest.approx([0.0, 240.0, 480.0, 720.0, 960.0], abs=0.1)
        opened = len(sim.sockets)
        assert audio_of(await said(tts, ["Yes."]))
        assert len(sim.sockets) == opened


async def test_a_socket_that_is_lost_is_opened_again_before_it_is_needed() -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        await tts.warm()
        sim.drop()
        await asyncio.sleep(1.0)
        assert len(sim.sockets) == 2
        await sim.down()
        await asyncio.sleep(10.0)
        await sim.up()
        await asyncio.sleep(10.0)
        assert len(sim.sockets) == 3
        loop = asyncio.get_running_loop()
        began = loop.time()
        pieces = tts.generate(script(["Yes."]))
        await anext(pieces)
        assert loop.time() - began == pytest.approx(0.09, abs=0.001)
        await pieces.aclose()


async def test_a_server_that_is_gone_for_good_is_left_alone_after_a_while() -> None:
    sim = CartesiaSim()
    async with voice(sim) as tts:
        await tts.warm()
        await sim.down()
        await asyncio.sleep(100.0)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("CartesiaTTS")]


async def test_a_socket_that_says_nothing_any_more_is_given_up() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, replace(FAST, troubles={0: Trouble(after=8, stall=True)}))
    async with voice(sim) as tts:
        got = await times_of(tts, [TEXT])
    check(lexicon, TEXT, [speech for _, speech in got])
    assert len(sim.sockets) == 2
    assert got[-1][0] == pytest.approx(2.0, abs=1.0)  # the time it was waited for


async def test_a_context_that_stalls_is_given_up_and_others_on_its_socket_are_not_disturbed() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, replace(FAST, pace=1.5, troubles={0: Trouble(after=3, stall=True)}))
    async with voice(sim) as tts:
        for got in await asyncio.gather(said(tts, [TEXT]), said(tts, [TEXT])):
            check(lexicon, TEXT, got)
    assert len(sim.sockets) == 1


async def test_an_error_in_the_middle_costs_no_word() -> None:
    for status in (500, 429, 400):
        lexicon = Lexicon()
        sim = CartesiaSim(
            lexicon, replace(FAST, troubles={0: Trouble(after=9, status=status), 1: Trouble(after=9, status=status)})
        )
        async with voice(sim) as tts:
            check(lexicon, TEXT, await said(tts, [TEXT]))
        assert len(sim.contexts) == 3


async def test_a_server_without_word_times_gives_audio_all_the_same() -> None:
    lexicon = Lexicon()
    async with voice(CartesiaSim(lexicon, replace(FAST, times="never"))) as tts:
        got = await said(tts, ["Yes. ", 1.5, "One large mocha."])
    assert lexicon.text(audio_of(got)) == "Yes. One large mocha."
    assert words_of(got) == []


# --- limits -------------------------------------------------------------------------------------------------


async def test_when_the_plan_is_in_use_an_answer_waits() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(concurrency=2))
    async with voice(sim) as tts:
        for got in await asyncio.gather(*(said(tts, ["One large mocha."]) for _ in range(6))):
            check(lexicon, "One large mocha.", got)


async def test_with_a_limit_of_its_own_the_plan_is_never_exceeded() -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(concurrency=2, late_chunks=0))
    async with voice(sim, CartesiaOptions(contexts=2)) as tts:
        for got in await asyncio.gather(*(said(tts, ["One large mocha. ", 1.5, "Yes."]) for _ in range(4))):
            check(lexicon, "One large mocha. Yes.", got)
    assert sim.sockets[0].refused == []


# --- languages ----------------------------------------------------------------------------------------------


async def test_languages_share_a_socket_and_are_the_same_object_each_time() -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(concurrency=4))
    async with voice(sim) as tts:
        german = tts.for_language("de-AT")
        assert german is tts.for_language("de") is german.for_language("de-CH")
        assert tts.for_language("nb").options.language == "no"
        await asyncio.gather(said(german, ["Ja."]), said(tts.for_language("en"), ["Yes."]), said(tts, ["Oui."]))
    languages = {context.transcript: context.settings.get("language") for context in sim.contexts}
    assert languages == {"Ja.": "de", "Yes.": "en", "Oui.": None}
    assert len(sim.sockets) == 1


async def test_settings_are_those_of_the_options() -> None:
    sim = CartesiaSim()
    options = CartesiaOptions(
        speed=1.2, volume=1.5, emotion="calm", pronunciation_dict_id="pd-1", max_buffer_delay_ms=500
    )
    async with voice(sim, options) as tts:
        await said(tts, ["Yes."])
    asked = sim.contexts[0].settings
    assert asked["generation_config"] == {"speed": 1.2, "volume": 1.5, "emotion": "calm"}
    assert (asked["pronunciation_dict_id"], asked["max_buffer_delay_ms"]) == ("pd-1", 500)
