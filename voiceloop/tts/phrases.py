"""Cuts text that is still being written into phrases that can be spoken. Pure: text in, phrases out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voiceloop.tts.joints import JointWords, is_joint, joints_of

__all__ = ["Phrase", "PhraseCutter", "PhraseRules"]

_CLOSERS = "\"'”’»)]}*_`"
"""What may stand between the end of a sentence and the space after it."""
_END = re.compile(rf"([.!?…]+)[{re.escape(_CLOSERS)}]*$")
_CLAUSE = re.compile(rf"[,;:—–][{re.escape(_CLOSERS)}]*$|\s-$")

_NEVER_LAST = frozenset(
    word
    for line in (
        "dr mr mrs ms prof rev gen sgt capt lt col hon st mt ft",
        "vs approx dept tel ext fig vol e.g i.e cf incl esp",
        "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun",
    )
    for word in line.split()
)
"""Abbreviations after which the sentence goes on."""
_PERHAPS_LAST = frozenset(
    ["etc", "inc", "ltd", "co", "corp", "jr", "sr", "ave", "blvd", "rd", "apt", "a.m", "p.m", "am", "pm", "hrs", "min"]
)
"""Abbreviations that may end a sentence too: it ends if a capital follows."""
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_NUMBERED = re.compile(r"\s*(?:\d+|[A-Za-z])")


@dataclass(slots=True, frozen=True)
class PhraseRules:
    """Lengths in characters."""

    first_least: int = 3
    """The first phrase of an answer may end at a comma, dash or the like when it is at least this long: "No," is."""
    second_least: int = 24
    """So may the second. It must be there before the first has been spoken, and may not sound chopped."""
    first_most: int = 90
    """The first two phrases end at the last space before this if nothing ended them."""
    most: int = 240
    """So does any other phrase. Longer ones are no better spoken and delay what follows."""
    soft: bool = True
    """Whether the first phrase may end inside a clause, at a joint (see `voiceloop.tts.joints`). Later phrases then may
    too, at a joint or a comma, when they have grown to `ahead` times what there is to speak meanwhile."""
    ahead: float = 2.0
    """Times the characters of the phrases before. Speech takes about 15 characters a second; a model that writes 20
    tokens a second writes 90."""
    language: str = "en"
    """Of the text, as a tag: "en", "en-GB". One without words for joints has phrases that end at punctuation only."""
    joints: JointWords | None = None
    """Other words for joints than those of `language`."""


@dataclass(slots=True, frozen=True)
class Phrase:
    """A piece of text to be spoken at once."""

    text: str
    """With the white space before it."""
    following: str = ""
    """At a joint: the word of the same clause that comes next, or all of it that is known. Otherwise empty."""

    @property
    def soft(self) -> bool:
        """Whether the clause goes on after it, without a pause."""
        return bool(self.following)


class PhraseCutter:
    """Feed it text, get phrases as soon as they are certain.

    The first phrase ends early because someone waits for it: at a clause, or at a joint inside one. The second may end
    at a clause; so that the voice need not wait for it, it may end at a joint too, if it has grown long. The others are
    whole sentences. A phrase ends before white space, so no word is ever cut (short of one with thousands of letters),
    and the phrases put together are exactly the text that was fed. How the text was divided when fed makes no
    difference.
    """

    __slots__ = ("_count", "_given", "_joints", "_rules", "_text", "_undecided")

    def __init__(self, rules: PhraseRules | None = None) -> None:
        self._rules = rules or PhraseRules()
        self._joints = (self._rules.joints or joints_of(self._rules.language)) if self._rules.soft else None
        self._text = ""
        self._count = 0
        self._given = 0  # characters in the phrases so far
        self._undecided = 0  # where a sentence ends if what follows begins like a new one; 0 for nowhere

    def feed(self, text: str) -> list[Phrase]:
        """Add text; return the phrases that are complete now."""
        phrases: list[Phrase] = []
        for character in text:
            phrase = self._add(character)
            if phrase:
                phrases.append(phrase)
        return phrases

    def close(self) -> Phrase:
        """No more text will come: return what is left, which may be empty or only white space."""
        rest, self._text, self._undecided = self._text, "", 0
        return Phrase(rest)

    def _add(self, character: str) -> Phrase | None:
        phrase = None
        if self._undecided and not character.isspace():
            if character.isupper():
                phrase = self._cut(self._undecided)
            self._undecided = 0
        elif character.isspace() and self._text and not self._text[-1].isspace():
            phrase = self._at_space(character)
        self._text += character
        return phrase or self._too_long()

    def _at_space(self, space: str) -> Phrase | None:
        """White space follows a word: does a phrase end here, or did one before that word?"""
        text = self._text
        if not any(c.isalnum() for c in text):
            return None
        if space == "\n":
            return self._cut(len(text))
        end = _END.search(text)
        if end:
            if end[1] == ".":
                verdict = _full_stop(text[: end.start()])
                if verdict is None:
                    self._undecided = len(text)
                if not verdict:
                    return None
            elif end[1] in ("…", "..", "...") and not self._may_end_at_clause():
                return None
            return self._cut(len(text))
        if _CLAUSE.search(text):
            return self._cut(len(text)) if self._may_end_at_clause() else None
        return self._at_joint()

    def _may_end_at_clause(self) -> bool:
        length = len(self._text.strip())
        if self._count < 2:
            return length >= (self._rules.second_least if self._count else self._rules.first_least)
        return self._rules.soft and length >= self._rules.ahead * self._given

    def _at_joint(self) -> Phrase | None:
        """Does a phrase end before the last word?"""
        if self._joints is None:
            return None
        if self._count and len(self._text.strip()) < max(self._rules.second_least, self._rules.ahead * self._given):
            return None
        *before, word = self._text.split()
        if not is_joint(before, word, self._joints):
            return None
        phrase = self._text[: -len(word)].rstrip()
        return self._cut(len(phrase), "" if _CLAUSE.search(phrase) else word)

    def _too_long(self) -> Phrase | None:
        most = self._rules.first_most if self._count < 2 else self._rules.most
        text = self._text
        if len(text) <= most:
            return None
        start = len(text) - len(text.lstrip())
        for at in range(len(text) - 1, start, -1):
            if text[at].isspace() and not text[at - 1].isspace():
                return self._cut(at)
        return self._cut(len(text)) if len(text) > 20 * most else None

    def _cut(self, at: int, following: str = "") -> Phrase:
        phrase, self._text = self._text[:at], self._text[at:]
        self._count += 1
        self._given += len(phrase.strip())
        self._undecided = 0
        return Phrase(phrase, following)


def _full_stop(before: str) -> bool | None:
    """Whether a full stop ends a sentence, by the text before it; None if what follows decides."""
    word = before.split()[-1] if before.split() else ""
    word = word.lstrip("\"'“‘«([{*_`")
    lower = word.lower()
    if lower in _NEVER_LAST:
        # "The shop opens on Sun." does happen, but a pause too few is heard less than one too many.
        return False
    if lower in _PERHAPS_LAST:
        return None
    if _NUMBERED.fullmatch(before):  # "1. Coffee", "a. Tea": the number of a list item
        return False
    if _INITIALS.fullmatch(word) and word != "I":  # "J. K. Rowling", "the U.S. Army"
        return False
    # "No. 5" and the answer "No."
    return None if lower == "no" and word != before.strip() else True
