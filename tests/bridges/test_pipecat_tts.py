"""`PipecatTTS` with Pipecat's real Cartesia service, against the simulator of Cartesia."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.cartesia.tts import CartesiaTTSService

from voiceloop.bridges.pipecat import PipecatOptions, PipecatTTS
from voiceloop.bridges.pipecat_island import ServiceFailed
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.tts.base import Speech

TEXT = "One large mocha, please. That is four dollars."


def service(url: str, **arguments: Any) -> CartesiaTTSService:
    settings = CartesiaTTSService.Settings(voice="any")
    return CartesiaTTSService(api_key="k", url=f"{url}/tts/websocket", settings=settings, **arguments)


@pytest.fixture
def talking() -> Callable[..., Any]:
    """A voice whose services speak through the simulator."""

    @asynccontextmanager
    async def talk(
        sim: CartesiaSim, options: PipecatOptions | None = None, **arguments: Any
    ) -> AsyncIterator[tuple[PipecatTTS, list[CartesiaTTSService]]]:
        made: list[CartesiaTTSService] = []
        async with sim.listening() as url:

            def make() -> CartesiaTTSService:
                made.append(service(url.replace("http", "ws"), **arguments))
                return made[-1]

            tts = PipecatTTS(make, options)
            try:
                yield tts, made
            finally:
                await tts.aclose()

    return talk


async def written(*pieces: str, pause: float = 0.0) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece
        if pause:
            await asyncio.sleep(pause)


async def spoken(tts: PipecatTTS, *pieces: str) -> tuple[bytes, list[Any]]:
    got = [speech async for speech in tts.generate(written(*pieces))]
    return b"".join(speech.audio for speech in got), [word for speech in got for word in speech.words]


async def test_audio_is_the_phones_and_words_are_where_they_are_spoken(talking: Callable[..., Any]) -> None:
    lexicon = Lexicon()
    async with talking(CartesiaSim(lexicon)) as (tts, _):
        audio, words = await spoken(tts, *TEXT.partition(" "))
    assert lexicon.text(audio) == TEXT
    assert [word.text for word in words] == TEXT.split()
    heard = lexicon.listen(audio)
    assert [round(word.start * 8000) for word in words] == [word.start for word in heard]
    assert [round(word.end * 8000) for word in words] == [word.end for word in heard]


async def test_a_service_with_another_sample_rate_is_as_long_and_has_the_same_words(
    talking: Callable[..., Any],
) -> None:
    told = []
    for rate in (None, 24000):
        async with talking(CartesiaSim(Lexicon()), sample_rate=rate) as (tts, _):
            told.append(await spoken(tts, TEXT))
    (audio, words), (resampled, same) = told
    assert len(resampled) == pytest.approx(len(audio), abs=2)
    assert [word.text for word in same] == [word.text for word in words]
    assert [word.start for word in same] == pytest.approx([word.start for word in words], abs=0.001)


@pytest.mark.parametrize("times", ["before", "after"])
async def test_words_that_are_told_early_or_late_have_the_same_times(talking: Callable[..., Any], times: Any) -> None:
    told = []
    for each in ("with", times):
        async with talking(CartesiaSim(Lexicon(), CartesiaSimOptions(times=each))) as (tts, _):
            told.append((await spoken(tts, TEXT))[1])
    assert told[0] == told[1]


async def test_answers_one_after_another_have_times_of_their_own_and_share_a_socket(
    talking: Callable[..., Any],
) -> None:
    sim = CartesiaSim(Lexicon(), CartesiaSimOptions(pace=100.0))
    async with talking(sim) as (tts, made):
        first = await spoken(tts, TEXT)
        again = await spoken(tts, TEXT)
        assert again == first
        assert len(made) == len(sim.sockets) == 1
    assert [context.outcome for context in sim.contexts] == ["done", "done"]


async def test_a_voice_that_tells_no_times_is_heard_and_its_words_are_left_to_be_estimated(
    talking: Callable[..., Any],
) -> None:
    lexicon = Lexicon()
    async with talking(CartesiaSim(lexicon, CartesiaSimOptions(times="never"))) as (tts, _):
        audio, words = await spoken(tts, TEXT)
    assert lexicon.text(audio) == TEXT
    assert [word.text for word in words] in ([], TEXT.split())


async def test_an_answer_that_is_left_is_cancelled_there_and_nothing_of_it_comes_late(
    talking: Callable[..., Any],
) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(late_chunks=5))
    async with talking(sim) as (tts, made):
        async with aclosing(tts.generate(written(TEXT))) as speech:
            async for _ in speech:
                break
        audio, words = await spoken(tts, "Tea it is.")
        assert lexicon.text(audio) == "Tea it is."
        assert [word.text for word in words] == ["Tea", "it", "is."]
        assert words[0].start == pytest.approx(0.0, abs=0.01)
        assert len(made) == 1
    assert sim.contexts[0].cancelled_at is not None
    assert sim.contexts[0].outcome != "done"


async def test_an_error_of_the_service_comes_out_and_the_next_answer_is_spoken(talking: Callable[..., Any]) -> None:
    lexicon = Lexicon()
    trouble = Trouble(after=2, status=500, message="The voice is hoarse.")
    sim = CartesiaSim(lexicon, CartesiaSimOptions(troubles={0: trouble}))
    async with talking(sim) as (tts, _):
        with pytest.raises(ServiceFailed, match=r"CartesiaTTSService: .*The voice is hoarse\."):
            await spoken(tts, TEXT)
        audio, _ = await spoken(tts, TEXT)
    assert lexicon.text(audio) == TEXT


async def test_a_service_that_falls_silent_has_not_spoken_all_and_says_so(talking: Callable[..., Any]) -> None:
    got: list[Speech] = []
    sim = CartesiaSim(Lexicon(), CartesiaSimOptions(troubles={0: Trouble(after=3, stall=True)}))

    async def read(tts: PipecatTTS) -> None:
        async for speech in tts.generate(written(TEXT)):
            got.append(speech)

    async with talking(sim) as (tts, _):
        with pytest.raises(ServiceFailed, match="left off before everything was spoken"):
            await read(tts)
    heard = sum(len(speech.audio) for speech in got) / 8000
    assert 0 < heard < 0.5
    assert all(word.end <= heard + 0.15 for speech in got for word in speech.words)


async def test_a_socket_that_breaks_in_the_middle_is_an_error_and_the_next_answer_has_a_new_one(
    talking: Callable[..., Any],
) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(drops_sent={6}))
    async with talking(sim) as (tts, _):
        with pytest.raises(ServiceFailed):
            await spoken(tts, TEXT)
        audio, _ = await spoken(tts, TEXT)
    assert lexicon.text(audio) == TEXT


async def test_a_socket_that_was_closed_while_nobody_spoke_is_there_again(talking: Callable[..., Any]) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(idle=30.0))
    async with talking(sim) as (tts, made):
        for pause in (40.0, 100.0):
            audio, words = await spoken(tts, TEXT)
            assert lexicon.text(audio) == TEXT
            assert [word.text for word in words] == TEXT.split()
            await asyncio.sleep(pause)
            sim.drop()
            await asyncio.sleep(20.0)
        assert lexicon.text((await spoken(tts, TEXT))[0]) == TEXT
        assert len(made) == 1


async def test_a_service_that_lost_its_connection_for_good_is_replaced(talking: Callable[..., Any]) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon)
    async with talking(sim) as (tts, made):
        await spoken(tts, TEXT)
        await sim.down()
        await asyncio.sleep(60.0)
        await sim.up()
        assert lexicon.text((await spoken(tts, TEXT))[0]) == TEXT
        assert len(made) == 2


async def test_a_service_that_cannot_connect_says_so_when_it_is_warmed(talking: Callable[..., Any]) -> None:
    sim = CartesiaSim(Lexicon(), CartesiaSimOptions(key="another"))
    async with talking(sim) as (tts, _):
        with pytest.raises(ServiceFailed, match=r"CartesiaTTSService: .*401"):
            await tts.warm()


@pytest.mark.parametrize("expiry", [True, False])
async def test_a_pause_in_the_text_lets_what_was_written_be_spoken_and_the_rest_follow(
    talking: Callable[..., Any], expiry: bool
) -> None:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, CartesiaSimOptions(expiry_done=expiry))
    pieces = ["Let me", " look. ", "That", " is four dollars."]
    audio, words, heard = b"", [], []
    async with talking(sim) as (tts, _):
        await tts.warm()
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for speech in tts.generate(written(*pieces, pause=4.0)):
            audio += speech.audio
            words += speech.words
            heard.append((loop.time() - began, lexicon.text(audio)))
    assert lexicon.text(audio) == "".join(pieces)
    assert [word.text for word in words] == "".join(pieces).split()
    assert next(at for at, text in heard if text == "Let me") < 1.5
    assert next(at for at, text in heard if text == "Let me look.") < 5.5
    assert [word.start for word in words] == sorted(word.start for word in words)
    for word in words:
        assert lexicon.text(audio[round(word.start * 8000) : round(word.end * 8000)]) == word.text
    assert len(sim.contexts) == 4


async def test_a_text_that_fails_fails_the_answer(talking: Callable[..., Any]) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "One large "
        raise ZeroDivisionError("no more text")

    async with talking(CartesiaSim(Lexicon())) as (tts, made):
        with pytest.raises(ZeroDivisionError, match="no more text"):
            async for _ in tts.generate(broken()):
                pass
        assert len((await spoken(tts, "Tea."))[1]) == 1
    assert len(made) == 1


async def test_nothing_but_white_space_asks_for_nothing(talking: Callable[..., Any]) -> None:
    async with talking(CartesiaSim(Lexicon())) as (tts, made):
        assert await spoken(tts, "", " ", "\n") == (b"", [])
    assert made == []
