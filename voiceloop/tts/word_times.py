"""Carries the times of words as pronounced over to the words as written. Pure.

A voice pronounces "9:30 am" as "nine thirty A M" and knows when each of those is heard; the conversation is kept in
the written words. Both sequences are aligned as texts are compared; where they differ, the written words share
the time of the pronounced ones in proportion to their letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from voiceloop.frames import Word

__all__ = ["written_times"]


def written_times(written: Sequence[tuple[str, str]], pronounced: Sequence[Word]) -> tuple[Word, ...]:
    """When each written word is heard.

    Args:
        written: words as written and as given to the voice; the latter may be empty, then the word takes no time.
        pronounced: what the voice said, in order, with times.

    Returns: one word for each written one, in order, none beginning before the one before it ends.
    """
    spoken = [index for index, (_, said) in enumerate(written) if said]
    times: dict[int, tuple[float, float]] = {}
    matcher = SequenceMatcher(
        None, [_key(written[index][1]) for index in spoken], [_key(word.text) for word in pronounced], autojunk=False
    )
    last = pronounced[0].start if pronounced else 0.0
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        group, said = spoken[i:i_end], pronounced[j:j_end]
        if said and len(group) == len(said):
            times.update((index, (word.start, word.end)) for index, word in zip(group, said, strict=True))
        elif said:
            texts = [written[index][1] for index in group]
            times.update(zip(group, _shares(texts, said[0].start, said[-1].end), strict=True))
        else:
            times.update((index, (last, last)) for index in group)
        if said:
            last = said[-1].end
    words: list[Word] = []
    end = pronounced[0].start if pronounced else 0.0
    for index, (text, _) in enumerate(written):
        start, stop = times.get(index, (end, end))
        start = max(start, end)
        end = max(start, stop)
        words.append(Word(text, start, end))
    return tuple(words)


def _key(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _shares(texts: Sequence[str], start: float, end: float) -> list[tuple[float, float]]:
    """Divide a time between words by how many letters and digits they have."""
    edges = [0, *accumulate(max(1, len(_key(text))) for text in texts)]
    times = [start + (end - start) * edge / edges[-1] for edge in edges[:-1]] + [end]
    return list(pairwise(times))
