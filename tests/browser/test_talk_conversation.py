"""A conversation with the coffee bar through the talk page: real models, a real Chromium, a recorded human voice."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voiceloop.audio.mulaw import decode
from voiceloop.audio.wav import read_wav, write_wav
from voiceloop.cli.load import example

RATE = 48000
"""Samples a second of the microphone."""
SLACK_MS = 250
"""How far the page's figure may be from the report's on a busy machine. On an idle one: see benchmarks/talk.py."""


def on_the_card(samples: npt.NDArray[Any], rate: int) -> npt.NDArray[Any]:
    """Without the silence around the words, and at the rate of a sound card."""
    block = rate // 50
    levels = np.sqrt((samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1))
    loud = np.flatnonzero(levels > levels.max() / 50)
    samples = samples[max(0, loud[0] - 3) * block : (loud[-1] + 6) * block]
    places = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
    return np.interp(places, np.arange(len(samples)), samples)


def utterances(request: pytest.FixtureRequest) -> list[npt.NDArray[Any]]:
    """Two orders of a coffee: recorded people; where there are no recordings, the embedded voice."""
    try:
        folder: Path = request.getfixturevalue("speech_dir")
    except pytest.skip.Exception:
        texts = ("A small coffee with milk, please.", "And a large coffee with sugar.")
        with ThreadPoolExecutor(1) as thread:  # Playwright's loop runs in this one
            said = [thread.submit(asyncio.run, spoken(text)).result() for text in texts]
        return [on_the_card(decode(audio) / 32768, 8000) for audio in said]
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "order"]
    coffees = [read_wav(folder / row["file"]) for row in rows if "coffee" in row["transcript"]][:2]
    return [on_the_card(recording.samples, recording.rate) for recording in coffees]


async def spoken(text: str) -> bytes:
    """A text in the embedded voice, mu-law."""
    from voiceloop.tts.hibari import Hibari, HibariOptions

    async def script() -> Any:
        yield text

    voice = Hibari(HibariOptions(speed=1.05))
    await voice.warm()
    try:
        return b"".join([piece.audio async for piece in voice.generate(script())])
    finally:
        await voice.aclose()


def microphone(path: Path, *parts: float | npt.NDArray[np.float64]) -> Path:
    """A microphone's recording: seconds of silence, and utterances."""
    sounds = [np.zeros(round(part * RATE)) if isinstance(part, float) else part for part in parts]
    write_wav(path, np.round(np.concatenate(sounds) * 32767).astype(np.int16), RATE)
    return path


@pytest.mark.long
@pytest.mark.models
def test_two_turns_are_heard_answered_and_measured(
    request: pytest.FixtureRequest, tmp_path: Path, launch: Callable[..., Any], serve: Callable[..., Any], watch: Any
) -> None:
    said = utterances(request)
    wav = microphone(tmp_path / "microphone.wav", 3.4, said[0], 6.2, said[1], 60.0)
    fake = f"--use-file-for-fake-audio-capture={wav}%noloop"
    browser = launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", fake)
    server = serve(example("coffee_bot.py"))
    page = watch(browser, server.url)
    page.call()
    page.until("voiceloop.turns.length >= 2", 60)
    turns = page.get("voiceloop.turns")
    assert [turn["number"] for turn in turns] == [1, 2]
    for turn in turns:
        assert "coffee" in turn["caller"].lower()
        assert "coffee" in turn["heard"].lower()
        assert abs(turn["measured_ms"] - turn["latency_ms"]["total"]) < SLACK_MS
    bubbles = page.text("#log")
    assert bubbles.startswith("Agent Corner Coffee, hi! What can I get you? You ")
    assert bubbles.count("endpoint 350 stt ") == 2
    page.hang_up()
    assert page.text("#status") == "Call ended: you hung up."
    assert page.complaints == []
