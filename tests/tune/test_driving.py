"""Turn-taking on clips of artificial speech: what is noticed, understood and decided, and when."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest

from voiceloop.frames import Transcript
from voiceloop.language import Cues
from voiceloop.stt.base import STT, Flush
from voiceloop.tune.clips import Clip
from voiceloop.tune.driving import Ended, drive
from voiceloop.tune.folder import read_folder
from voiceloop.tune.heard import heard_by
from voiceloop.tune.listening import Track, listen
from voiceloop.tune.scoring import score
from voiceloop.tune.sound import voiced
from voiceloop.tune.words import Known, Recorded, place_words
from voiceloop.turns.endpointing import Endpointing, FixedSilence, SoFar, Wait
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.energy import EnergyModel

Folder = Callable[..., Path]
ORDER = (0.5, "two large lattes", 0.56, "please", 0.5)
"""The first words take 0.82 s, the last 0.3: the pause begins at 1.32 and ends at 1.88, the turn ends at 2.18."""


def clip_of(folder: Folder, *parts: str | float) -> Clip:
    return read_folder(folder(order=parts)).clips[0]


def heard(clip: Clip) -> Track:
    return listen(clip, Known, EnergyModel())


def fixed(track: Track, silence: float, *, interims: bool = True) -> list[Ended]:
    return drive(track, TurnOptions(silence=silence), FixedSilence, interims=interims)


def test_the_truth_is_from_the_first_sound_to_the_last(folder: Folder) -> None:
    (turn,) = clip_of(folder, *ORDER).turns
    assert (turn.text, turn.started, turn.ended) == ("two large lattes please", 0.5, 2.18)


def test_a_pause_inside_a_turn_is_noticed_with_its_length(folder: Folder) -> None:
    track = heard(clip_of(folder, *ORDER))
    assert [(each.started, each.ended) for each in track.stretches] == [(0.5, 1.32), (1.88, 2.18)]
    assert [each.paused for each in track.stretches] == [1.48, 2.34]
    assert track.pauses == [pytest.approx(0.56)]


def test_a_silence_shorter_than_the_pause_cuts_the_caller_off_and_a_longer_one_does_not(folder: Folder) -> None:
    clip = clip_of(folder, *ORDER)
    track = heard(clip)
    short = fixed(track, 0.4)
    assert [(each.at, each.text) for each in short] == [
        (pytest.approx(1.72), "two large lattes"),
        (pytest.approx(2.58), "please"),
    ]
    assert score(short, clip.turns).cut_offs == 1
    long = fixed(track, 0.8)
    assert [(each.at, each.text) for each in long] == [(pytest.approx(2.98), "two large lattes please")]
    assert score(long, clip.turns).cut_offs == 0
    assert score(long, clip.turns).waits == (pytest.approx(0.8),)


def test_no_turn_ends_before_the_recogniser_has_answered(folder: Folder) -> None:
    clip = clip_of(folder, 0.5, "lattes", 1.0)
    (ended,) = fixed(heard(clip), 0.05)
    assert ended.at == pytest.approx(clip.turns[0].ended + 0.16 + 0.1)  # when it was noticed, and the lag


@pytest.mark.parametrize("silence", [0.2, 0.4, 0.7])
def test_words_while_they_are_spoken_change_no_turns_end(folder: Folder, silence: float) -> None:
    track = heard(clip_of(folder, *ORDER))
    assert fixed(track, silence) == fixed(track, silence, interims=False)


def test_words_come_while_they_are_spoken_each_after_its_end_and_the_lag(folder: Folder) -> None:
    track = heard(clip_of(folder, 0.5, "a cappuccino please", 0.5))
    answers = track.recogniser.answers(0, 0)
    whole = "a cappuccino please"
    assert [each.text for each in answers] == ["a", "a cappuccino", whole, whole]
    assert [each.settled for each in answers] == [False, False, False, True]
    a, cappuccino, please, settled = (each.now - 0.1 for each in answers)
    assert 0.5 < a < 0.7 < cappuccino < 1.3 < please == pytest.approx(track.turns[0].ended)
    assert settled == pytest.approx(track.stretches[0].paused)


def test_a_word_that_would_lie_on_both_sides_of_a_pause_is_on_the_side_of_its_middle(folder: Folder) -> None:
    clip = clip_of(folder, *ORDER)
    ends = dict(place_words(clip.turns[0], voiced(clip.audio)))
    assert ends["lattes"] == pytest.approx(1.32)  # by its letters it would end 14 ms into the next
    assert ends["please"] == pytest.approx(2.18)


class Asks(Endpointing):
    """Long after "and", short else; keeps what it was told."""

    def __init__(self) -> None:
        self.gaps: list[float] = []

    def wait(self, turn: SoFar, options: TurnOptions) -> Wait:
        more = turn.text.endswith("and")
        return Wait(options.unfinished, False, "ends with and") if more else Wait(options.finished, True, "whole")

    def went_on(self, pause: float) -> None:
        self.gaps.append(pause)


def test_an_endpointing_of_ones_own_decides_by_the_words_and_says_why(folder: Folder) -> None:
    clip = clip_of(folder, 0.5, "latte and", 0.7, "mocha", 0.5)
    (ended,) = drive(heard(clip), TurnOptions(finished=0.3), Asks, Cues())
    assert (ended.text, ended.why, ended.silence) == ("latte and mocha", "whole", 0.3)


def test_an_endpointing_learns_of_pauses_inside_turns_and_of_turns_ended_too_soon(folder: Folder) -> None:
    clip = clip_of(folder, 0.5, "latte and", 0.7, "mocha", 0.6, "please", 0.5)
    asks = Asks()
    ended = drive(heard(clip), TurnOptions(finished=0.3), lambda: asks)
    assert [each.text for each in ended] == ["latte and mocha", "please"]
    assert asks.gaps == [pytest.approx(0.7, abs=0.02), pytest.approx(0.6, abs=0.02)]


class Judges(Asks):
    """Goes by the sound alone."""

    listens = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def wait(self, turn: SoFar, options: TurnOptions) -> Wait:
        return Wait(0.3 if turn.judged == 1.0 else 1.5)

    def judge(self, audio: bytes) -> float:
        self.sizes.append(len(audio))
        return float(len(self.sizes) == 2)


def test_an_endpointing_that_listens_is_given_the_latest_sound_at_each_pause(folder: Folder) -> None:
    judges = Judges()
    (ended,) = drive(heard(clip_of(folder, *ORDER)), TurnOptions(), lambda: judges)
    assert judges.sizes == [4000, 4000]
    assert ended.at == pytest.approx(2.18 + 0.3)


class Counts(STT):
    """Understands one word for each second of sound it was given."""

    def __init__(self) -> None:
        self.runs = 0

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        self.runs += 1
        size = 0
        async for item in audio:
            if isinstance(item, Flush):
                yield Transcript(f"{size / 8000:.2f} s")
                yield item
            else:
                size += len(item)


def test_a_recogniser_hears_the_utterance_so_far_at_each_pause_and_is_asked_once(folder: Folder) -> None:
    stt = Counts()
    track = listen(clip_of(folder, *ORDER), heard_by(stt, 0.15), EnergyModel())
    (whole,) = fixed(track, 0.8)
    first, second = track.stretches
    assert whole.text == f"{second.paused - first.noticed + 0.35:.2f} s"  # with what was spoken before it was noticed
    assert [each.now for each in track.recogniser.answers(0, 0)] == [first.paused + 0.15]
    fixed(track, 0.9)
    assert stt.runs == 1
    assert [each.text for each in fixed(track, 0.4)] == [
        f"{first.paused - first.noticed + 0.35:.2f} s",
        f"{second.paused - second.noticed + 0.35:.2f} s",
    ]
    assert stt.runs == 2


class Deaf(Counts):
    """Takes the first second and a half for noise."""

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        async for item in super().transcribe(audio):
            yield Transcript("") if isinstance(item, Transcript) and self.runs == 1 else item


def test_what_was_noise_is_not_heard_again_with_the_words_behind_it(folder: Folder) -> None:
    track = listen(clip_of(folder, *ORDER), heard_by(Deaf(), 0.15), EnergyModel())
    second = track.stretches[1]
    assert [each.text for each in fixed(track, 0.8)] == [f"{second.paused - second.noticed + 0.35:.2f} s"]


def test_what_was_never_recorded_cannot_be_taken_from_the_recording(folder: Folder) -> None:
    clip = clip_of(folder, *ORDER)
    with pytest.raises(ValueError, match="order is no recorded call: nothing was recognised in it"):
        listen(clip, Recorded, EnergyModel())
    with pytest.raises(ValueError, match="order is no recorded call: a model of voice activity is needed"):
        listen(clip, Known)


def test_silence_is_no_turn() -> None:
    assert fixed(listen(Clip("quiet", b"\xff" * 8000, ()), Known, EnergyModel()), 0.5) == []
