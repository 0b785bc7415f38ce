"""From the times of pronounced words to those of written words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceloop.frames import Word
from voiceloop.tts.word_times import written_times


def said(*words: str) -> list[Word]:
    """Pronounced words, one a second."""
    return [Word(word, float(at), at + 0.9) for at, word in enumerate(words)]


def plain(text: str) -> list[tuple[str, str]]:
    return [(word, word) for word in text.split()]


def test_the_same_words_have_the_same_times() -> None:
    times = written_times(plain("Hello, dear caller."), said("Hello,", "dear", "caller."))
    assert times == (Word("Hello,", 0, 0.9), Word("dear", 1, 1.9), Word("caller.", 2, 2.9))


def test_a_word_read_as_several_takes_their_time() -> None:
    times = written_times(plain("at 9:30 sharp"), said("at", "nine", "thirty", "sharp"))
    assert times == (Word("at", 0, 0.9), Word("9:30", 1, 2.9), Word("sharp", 3, 3.9))


def test_words_that_differ_share_the_time_by_their_letters() -> None:
    times = written_times(plain("on Jan. 5th, yes"), said("on", "January-fifth", "yes"))
    assert [(word.text, round(word.start, 3), round(word.end, 3)) for word in times] == [
        ("on", 0, 0.9),
        ("Jan.", 1, 1.45),
        ("5th,", 1.45, 1.9),
        ("yes", 2, 2.9),
    ]


def test_a_word_that_is_not_spoken_takes_no_time_where_it_stands() -> None:
    times = written_times([("-", ""), ("so", "so"), ("🙂", ""), ("yes", "yes")], said("so", "yes"))
    assert times == (Word("-", 0, 0), Word("so", 0, 0.9), Word("🙂", 0.9, 0.9), Word("yes", 1, 1.9))


def test_a_word_the_voice_left_out_takes_no_time() -> None:
    times = written_times(plain("so | yes"), said("so", "yes"))
    assert times == (Word("so", 0, 0.9), Word("|", 0.9, 0.9), Word("yes", 1, 1.9))


def test_nothing_pronounced() -> None:
    assert written_times(plain("a b"), []) == (Word("a", 0, 0), Word("b", 0, 0))


WORDS = st.lists(st.text("abc1", max_size=4), max_size=12)


@given(WORDS, WORDS)
def test_times_never_go_back_and_stay_within_the_voice(written: list[str], pronounced: list[str]) -> None:
    voice = said(*pronounced)
    times = written_times([(word or "-", word) for word in written], voice)
    assert [word.text for word in times] == [word or "-" for word in written]
    edges = [edge for word in times for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    if voice and times:
        assert edges[0] >= voice[0].start
        assert edges[-1] <= voice[-1].end
