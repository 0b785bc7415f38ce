"""The agent's own voice is told from the caller's, whatever the line does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.audio import mulaw
from voiceloop.played import Played
from voiceloop.sim.artificial import Lexicon
from voiceloop.vad.echo import EchoGuard, EchoOptions

RATE = 8000
WINDOW = 160
LEAD = 0.64
BEGIN = 0.5
"""When the agent begins to sound, seconds of sending."""
SPEECH = 0.08
"""Seconds of speech in a row that make a detector tell of it."""


def gained(samples: np.ndarray, decibels: float) -> np.ndarray:
    return samples * 10 ** (decibels / 20)


def voice(seconds: float, seed: int, level: float = -20.0) -> np.ndarray:
    """Something like speech: a gliding buzz and hisses in syllables, with resonances that change; 16-bit scale."""
    random = np.random.default_rng(seed)
    pitch, parts = random.uniform(90, 220), []
    while sum(map(len, parts)) < seconds * RATE:
        size = int(random.uniform(0.08, 0.25) * RATE)
        glide = pitch * np.linspace(1, random.uniform(0.85, 1.2), size)
        buzz = np.diff(np.floor(np.cumsum(glide) / RATE), prepend=0.0)
        source = buzz * 8 + random.normal(0, 0.1, size) if random.random() < 0.75 else random.normal(0, 0.5, size)
        spectrum, hertz = np.fft.rfft(source), np.fft.rfftfreq(size, 1 / RATE)
        resonances = [random.uniform(*band) for band in ((250, 800), (900, 2300), (2400, 3400))]
        shape = sum(1 / (1 + ((hertz - at) / 90) ** 2) for at in resonances)
        syllable = np.fft.irfft(spectrum * (shape + 0.02), size) * np.hanning(size) ** 0.5
        parts += [syllable * random.uniform(0.4, 1), np.zeros(int(random.choice([0, 0.03, 0.12]) * RATE))]
    whole = np.concatenate(parts)[: int(seconds * RATE)]
    return gained(whole / np.sqrt(np.mean(whole[np.abs(whole) > 1e-3] ** 2)) * 32768, level)


def phone(samples: np.ndarray) -> bytes:
    return mulaw.encode(np.clip(np.rint(samples), -32768, 32767).astype(np.int16))


@dataclass
class EchoingLine:
    """The agent's voice, and what comes back of it after `delay` and at `level` dB."""

    agent: np.ndarray
    delay: float = 0.18
    level: float = -20.0
    round_trip: float = 0.12
    caller: np.ndarray = field(default_factory=lambda: np.zeros(0))
    caller_at: float = 0.0
    """When the caller begins, seconds of hearing."""
    noise: float | None = None
    """dBFS."""
    changed: Callable[[np.ndarray], np.ndarray] | None = None
    """What else becomes of the echo."""
    clock: float = 0.0
    """Seconds by which the audio of the caller is dated too late."""

    def heard(self, *, noisy: bool = True) -> bytes:
        agent = mulaw.decode(phone(self.agent)).astype(float)
        line = np.zeros(len(agent) + 2 * RATE)
        at = round((BEGIN + self.round_trip + self.delay) * RATE)
        line[at : at + len(agent)] += gained(self.changed(agent) if self.changed else agent, self.level)
        if len(self.caller):
            at = round(self.caller_at * RATE)
            line[at : at + len(self.caller)] += self.caller[: len(line) - at]
        if self.noise is not None and noisy:
            line += gained(np.random.default_rng(7).normal(0, 32768, len(line)), self.noise)
        return phone(line)

    def run(self, guard: EchoGuard | None = None, *, start: float = 0.0) -> Iterator[tuple[float, bool, bool]]:
        """For each window: when it ends, whether it holds more than noise, whether the guard takes it for an echo."""
        guard = guard or EchoGuard(Played())
        sounds, heard, clean, sent = phone(self.agent), self.heard(), self.heard(noisy=False), 0
        for at in range(0, len(heard) - WINDOW, WINDOW):
            window, end = heard[at : at + WINDOW], (at + WINDOW) / RATE
            while sent < len(sounds) and BEGIN + sent / RATE < end + LEAD:
                guard.played.sent(start + BEGIN + sent / RATE, sounds[sent : sent + 800], self.round_trip)
                sent += 800
            loud = float(np.abs(mulaw.decode(clean[at : at + WINDOW]).astype(float)).mean()) > 60
            yield end, loud, guard.hear(window, start + end + self.clock, loud)

    def missed(self, guard: EchoGuard | None = None, **kwargs: float) -> float:
        """Longest time of sound in a row that the guard does not take for echo, seconds."""
        longest = row = 0
        for _, loud, echo in self.run(guard, **kwargs):
            row = row + 1 if loud and not echo else 0
            longest = max(longest, row)
        return longest * WINDOW / RATE

    def noticed(self, guard: EchoGuard | None = None) -> float:
        """How long after the caller began 80 ms in a row were the caller's, seconds."""
        row = 0
        for end, loud, echo in self.run(guard):
            row = row + 1 if loud and not echo else 0
            if row >= 4 and end > self.caller_at + 0.08:
                return end - self.caller_at
        return float("inf")


@pytest.fixture(scope="module")
def agent() -> np.ndarray:
    return voice(6, seed=1, level=-18)


# --- the agent's own voice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.05, 0.18, 0.4])
@pytest.mark.parametrize("level", [-6.0, -12.0, -20.0, -30.0])
def test_an_echo_is_no_speech_from_its_first_sound_on(agent: np.ndarray, delay: float, level: float) -> None:
    guard = EchoGuard(Played())
    assert EchoingLine(agent, delay, level).missed(guard) < SPEECH
    assert guard.delay == pytest.approx(delay, abs=0.002)
    assert guard.level == pytest.approx(level, abs=1)


def test_without_a_guard_it_would_be(agent: np.ndarray) -> None:
    assert EchoingLine(agent).missed(EchoGuard(Played(), EchoOptions(enabled=False))) > SPEECH


def low_passed(echo: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(echo)
    spectrum[np.fft.rfftfreq(len(echo), 1 / RATE) > 1800] *= 0.03
    return np.fft.irfft(spectrum, len(echo))


def clipped(echo: np.ndarray) -> np.ndarray:
    peak = np.abs(echo).max() * 0.4
    return peak * np.tanh(echo / peak)


def coded_again(echo: np.ndarray) -> np.ndarray:
    return mulaw.decode(phone(echo)).astype(float)


def another_rate(echo: np.ndarray) -> np.ndarray:
    """A sound card 200 ppm off, and no whole number of samples."""
    at = np.arange(len(echo))
    return np.interp(at * 1.0002 + 0.37, at, echo)


def in_a_room(echo: np.ndarray) -> np.ndarray:
    room = np.random.default_rng(5).normal(0, 1, 800) * np.exp(-np.arange(800) / 160)
    room[0] = 12
    return np.convolve(echo, room / np.sqrt(np.sum(room**2)))[: len(echo)]


@pytest.mark.parametrize("changed", [low_passed, clipped, coded_again, another_rate, in_a_room])
def test_an_echo_that_the_line_has_changed_is_one(
    agent: np.ndarray, changed: Callable[[np.ndarray], np.ndarray]
) -> None:
    line = EchoingLine(agent, level=-12, changed=changed)
    share = [echo for _, loud, echo in line.run() if loud]
    assert np.mean(share) > 0.95
    assert line.missed() <= 0.1


@pytest.mark.parametrize("level", [-10.0, -20.0])
def test_an_echo_in_noise_is_one(agent: np.ndarray, level: float) -> None:
    line = EchoingLine(agent, level=level, noise=-18 + level - 20)
    assert line.missed() <= 0.1


@pytest.mark.parametrize("clock", [-0.03, 0.03])
def test_a_clock_that_is_wrong_by_30_ms_does_not_matter(agent: np.ndarray, clock: float) -> None:
    assert EchoingLine(agent, clock=clock).missed() < SPEECH


@pytest.mark.parametrize("real", [0.05, 0.3])
def test_nor_does_a_wrong_guess_of_the_way_there_and_back(agent: np.ndarray, real: float) -> None:
    played = Played()
    line = EchoingLine(agent, delay=0.2 + real - 0.12, round_trip=0.12)
    assert line.missed(EchoGuard(played)) < SPEECH


def test_when_the_caller_lifts_the_receiver_the_new_echo_is_learnt_at_once(agent: np.ndarray) -> None:
    guard = EchoGuard(Played())
    EchoingLine(agent, 0.3, -10).missed(guard)
    other = EchoingLine(voice(4, seed=9, level=-18), 0.12, -25)
    assert other.missed(guard, start=20.0) <= 0.1
    assert guard.delay == pytest.approx(0.12, abs=0.002)
    assert guard.level == pytest.approx(-25, abs=2)


def test_the_next_answer_may_begin_a_block_of_the_carrier_later(agent: np.ndarray) -> None:
    guard = EchoGuard(Played())
    EchoingLine(agent, 0.2, -15).missed(guard)
    assert EchoingLine(voice(4, seed=3, level=-18), 0.217, -15).missed(guard, start=20.0) < 0.03


# --- the caller --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [-6.0, -12.0, -20.0, -40.0])
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_a_caller_over_the_echo_is_heard_at_once(agent: np.ndarray, level: float, seed: int) -> None:
    line = EchoingLine(agent, level=level, caller=voice(2, seed=seed, level=-20), caller_at=3.0)
    assert line.noticed() <= 0.2


def test_a_caller_from_the_agents_first_word_on_is_heard(agent: np.ndarray) -> None:
    line = EchoingLine(agent, caller=voice(2, seed=31, level=-20), caller_at=BEGIN + 0.3)
    assert line.noticed() <= 0.2


@pytest.mark.parametrize("level", [-20.0, -38.0])
def test_a_line_without_echo_loses_nothing_of_a_caller_who_may_be_soft(agent: np.ndarray, level: float) -> None:
    line = EchoingLine(agent, level=-200, caller=voice(3, seed=21, level=level), caller_at=2.0)
    judged = [echo for _, loud, echo in line.run() if loud]
    assert len(judged) > 80
    assert np.mean(judged) < 0.05
    assert line.noticed() <= 0.15


def test_a_caller_who_says_the_agents_very_words_in_artificial_speech_is_no_echo() -> None:
    lexicon = Lexicon()
    sound = mulaw.decode(lexicon.speak("We have coffee and tea and cake and bread")[0]).astype(float)
    line = EchoingLine(sound, level=-200, caller=sound, caller_at=BEGIN + 0.3)
    assert not any(echo for _, _, echo in line.run())


def test_nothing_is_an_echo_while_the_agent_is_silent() -> None:
    guard = EchoGuard(Played())
    for at in range(100):
        assert not guard.hear(phone(voice(0.02, seed=at)), at * 0.02, True)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=WINDOW, max_size=WINDOW), max_size=20), st.floats(0, 1e6))
def test_never_is_anything_an_echo_when_nothing_was_played(windows: list[bytes], start: float) -> None:
    guard = EchoGuard(Played())
    assert not any(guard.hear(window, start + at * 0.02, True) for at, window in enumerate(windows))
    assert (guard.delay, guard.level) == (None, None)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.binary(min_size=256, max_size=256), st.booleans(), st.binary(max_size=900)), max_size=20))
def test_any_sounds_at_any_level_are_judged_without_an_error(steps: list[tuple[bytes, bool, bytes]]) -> None:
    guard = EchoGuard(Played())
    for at, (window, speech, sent) in enumerate(steps):
        guard.played.sent(at * 0.05, sent, 0.1)
        assert guard.hear(window, 0.3 + at * 0.032, speech) in (True, False)


def test_what_a_clear_took_back_is_no_echo_any_more(agent: np.ndarray) -> None:
    """The same sound, played and taken back: if it comes nevertheless, somebody else makes it."""
    for cleared in (False, True):
        played = Played()
        guard = EchoGuard(played)
        played.sent(1.0, phone(agent), 0.12)
        if cleared:
            played.cleared(0.9)
        heard = b"\xff" * RATE + phone(gained(agent, -10))
        judged = [
            guard.hear(heard[at : at + WINDOW], 0.3 + (at + WINDOW) / RATE, at >= RATE)
            for at in range(0, 2 * RATE, WINDOW)
        ]
        assert any(judged) is not cleared


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 2 s"):
        EchoOptions(longest=3)
