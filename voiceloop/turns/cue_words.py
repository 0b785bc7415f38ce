"""Words that tell something, found in what a recogniser wrote. Pure.

Recognisers differ in how they write: "Uh-huh.", "uhhuh", "UH HUH", "That’s all!", "hmmmm". Both the text and the
entries of `Cues` are brought to one form by `words` before they are compared, so a table may be written either way.
"""

from __future__ import annotations

import re
from functools import lru_cache

from voiceloop.language import Cues

__all__ = ["PhraseSet", "only_backchannels", "phrases", "stops_at_once", "words"]

_LOOKED_AT = 1000
"""Characters of a text, its last ones, that are looked at: some hundred words."""
_BACKCHANNEL_WORDS = 12
"""Whoever says more words than this is taking a turn, whatever the words are."""

_WORD = re.compile(r"[^\W_]+(?:['.:,@/][^\W_]+)*'?")
_DAYTIME = re.compile(r"\b([ap])\.m\b")
_STRETCHED = re.compile(r"([^\W\d_w])\1{2,}")
_MARKS = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u2026": " "})
_OTHER_WORDS = frozenset(("ill", "hell", "shell", "shed", "wed", "id", "were", "well"))
"""What is another word without its apostrophe: "I'll" is not to be found in "ill"."""


def words(text: str) -> list[str]:
    """The words of a text in the form in which they are compared: "Uh-huh, that’s M-A-R…" gives uh huh that's m a r.

    Lower case, without punctuation around them; hyphens part words; stretched sounds are cut ("hmmmm" is hmm, "sooo"
    is so). Marks inside a word stay: 3:30, 4.50, that's. Only the last 1000 characters are read.
    """
    text = text[-_LOOKED_AT:].lower().translate(_MARKS)
    text = _STRETCHED.sub(_shorten, _DAYTIME.sub(r"\1m", text) if ".m" in text else text)
    return _WORD.findall(text)


def _shorten(run: re.Match[str]) -> str:
    return "mm" if run[1] == "m" else run[1]


class PhraseSet:
    """Cues to look for, of one or several words each."""

    __slots__ = ("_beginning", "_ending", "all", "begun", "longest")

    def __init__(self, entries: frozenset[str]) -> None:
        plain = {" ".join(words(entry)) for entry in entries}
        plain |= {bare for each in plain if (bare := each.replace("'", "")) not in _OTHER_WORDS}
        self.all = frozenset(plain - {""})
        """Each in the form of `words`, joined by a space; also without its apostrophes, as some recognisers write."""
        self.longest = max((each.count(" ") + 1 for each in self.all), default=0)
        """Words of the longest."""
        self.begun = frozenset(each[:at] for each in self.all for at, sign in enumerate(each) if sign == " ")
        """What those of several words begin with: "i" of "i see"."""
        self._beginning = self._lengths(0)
        self._ending = self._lengths(-1)

    def _lengths(self, at: int) -> dict[str, list[int]]:
        """How long the phrases with a word at their begin or end are, the longest first."""
        found: dict[str, set[int]] = {}
        for each in self.all:
            parts = each.split(" ")
            found.setdefault(parts[at], set()).add(len(parts))
        return {word: sorted(lengths, reverse=True) for word, lengths in found.items()}

    def __contains__(self, phrase: object) -> bool:
        return phrase in self.all

    @property
    def first_words(self) -> frozenset[str]:
        """The words that cues begin with."""
        return frozenset(self._beginning)

    def at(self, said: list[str], start: int) -> int:
        """How many words the longest cue that begins at a word has; 0 when none does."""
        for n in self._beginning.get(said[start], ()):
            if n == 1 or " ".join(said[start : start + n]) in self.all:
                return n
        return 0

    def ending(self, said: list[str]) -> int:
        """How many words the longest cue that the words end with has; 0 when they end with none."""
        for n in self._ending.get(said[-1], ()) if said else ():
            if n == 1 or (n <= len(said) and " ".join(said[-n:]) in self.all):
                return n
        return 0


@lru_cache(maxsize=512)
def phrases(entries: frozenset[str]) -> PhraseSet:
    """The entries of a cue, made ready once."""
    return PhraseSet(entries)


def only_backchannels(text: str, cues: Cues, greeting: bool = False, *, more: bool = False) -> bool:
    """Whether a text is nothing but sounds and words of a listener: "mhm", "yeah, okay", "I see".

    False for an empty text, for anything with a stop word in it, and for more than a dozen words.

    Args:
        text: as recognised by now.
        cues: of the language.
        greeting: whether the agent is still greeting: a "hello?" takes no turn then.
        more: whether the recogniser may still add words: "I" may become "I see" then.
    """
    said = words(text)
    if not said or len(said) > _BACKCHANNEL_WORDS or stops_at_once(text, cues):
        return False
    listening = phrases(cues.backchannels)
    hello = phrases(cues.greetings) if greeting else None
    reached = {0}  # the first words that cues can cover: phrases overlap, so each way to part them is tried
    for start in range(len(said)):
        if start in reached:
            for n in range(1, min(max(listening.longest, hello.longest if hello else 0), len(said) - start) + 1):
                phrase = " ".join(said[start : start + n])
                if phrase in listening or (hello is not None and phrase in hello):
                    reached.add(start + n)
    return len(said) in reached or (more and any(" ".join(said[start:]) in listening.begun for start in reached))


def stops_at_once(text: str, cues: Cues) -> bool:
    """Whether a text has something in it that is meant to stop the agent: "stop", "wait", "no, no".

    A stop word inside a longer backchannel is none: "no problem".
    """
    said = words(text)
    stop, listening = phrases(cues.stops), phrases(cues.backchannels)
    start = 0
    while start < len(said):
        meant, kind = stop.at(said, start), listening.at(said, start)
        if meant and meant >= kind:
            return True
        start += max(kind, 1)
    return False
