"""Where a sentence may be divided without a mark of punctuation, so that its beginning can be spoken early. Pure.

A speaker may draw breath before a word that opens a phrase: a preposition, a conjunction, the subject of another clause
("I'm afraid | we are closed"), an object ("You can change | your booking"), the verb after a long subject ("The soup of
the day | is tomato"). Never between words that are one: "at | least", "look | for", "can | help".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ENGLISH", "JOINTS", "JointWords", "is_joint", "joints_of"]


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


def _pairs(*lines: str) -> frozenset[tuple[str, str]]:
    """Each line: the second words, a colon, the first words."""
    pairs = set()
    for line in lines:
        seconds, firsts = line.split(":")
        pairs |= {(first, second) for first in firsts.split() for second in seconds.split()}
    return frozenset(pairs)


@dataclass(slots=True, frozen=True)
class JointWords:
    """The words of one language that make or forbid a joint, in lower case."""

    openers: frozenset[str]
    """They open a phrase: a joint may lie before them, if `least_words` come first."""
    weak: frozenset[str]
    """So may one before these, if `weak_words` come first."""
    subjects: frozenset[str]
    """Pronouns that open a clause. Like `openers`."""
    verbs: frozenset[str]
    """A joint may lie before them if all that comes first, `least_words` or more, is their subject: it has none of
    `auxiliaries` and `subjects`, and does not end with one of `pronouns`."""
    auxiliaries: frozenset[str]
    pronouns: frozenset[str]
    bound: frozenset[str]
    """No joint lies after them: they belong to what follows."""
    shortened: tuple[str, ...]
    """No joint lies after words with these endings, for the same reason."""
    pairs: frozenset[tuple[str, str]]
    """Two words with no joint between them."""
    numbers: frozenset[str]
    """Words for numbers and days. No joint lies between one of them, or a number in digits, and one of `ranges`."""
    ranges: frozenset[str]
    """What may join two numbers: "nine to six"."""
    filler: str
    """Makes any opener into the beginning of a longer phrase. The voice says it after a beginning, so that this does
    not sound like an end, and it is cut off. With its punctuation."""
    least_words: int = 2
    weak_words: int = 3
    least_syllables: int = 3
    """Before any joint."""


_AUXILIARIES = _words(
    "am is are was were be been being isn't aren't wasn't weren't do does did don't doesn't didn't have has had",
    "haven't hasn't hadn't can can't cannot could couldn't will won't would wouldn't shall should shouldn't may might",
    "must",
)
_PREPOSITIONS = _words(
    "at on in for with from by about after before between during until till near without within under over through",
    "opposite behind beside across into onto towards against inside outside around",
)
_CONJUNCTIONS = _words("and or but so if when while because although though unless whether where which who since")
_DETERMINERS = _words("a an the my your his her its our their this these those some any another every each all both")
_SUBJECTS = _words(
    "i i'm i've i'll i'd we we're we've we'll we'd they they're they've they'll he he's she she's you're you've you'll",
    "you'd it's that's there's it'll",
)
_DIGITS = re.compile(r"[$€£]?\d[\d.,:]*(?:st|nd|rd|th|am|pm|%)?")
_VOWELS = re.compile(r"[aeiouy]+")
_MUTE = re.compile(r"(?:[^aeiouyl]e|[^aeiouylcghsxz]es|[^aeiouyltd]ed)$")
"""An e that is written and not spoken: "here", "takes", "moved"; not in "table", "closes", "added"."""

ENGLISH = JointWords(
    openers=_PREPOSITIONS | _CONJUNCTIONS,
    weak=_DETERMINERS | _words("to that how what why today tomorrow tonight yesterday"),
    subjects=_SUBJECTS,
    verbs=_words("is are was were will can could should must has isn't aren't wasn't weren't won't can't"),
    auxiliaries=_AUXILIARIES,
    pronouns=_words("you it there who what that this which everyone someone nobody"),
    bound=_AUXILIARIES
    | _PREPOSITIONS
    | _CONJUNCTIONS
    | _DETERMINERS
    | _words(
        "of to than as per like no not nor very too quite just only even also more most less least such half twice",
        "every next last first what how why mr mrs ms dr please let's i we they he she there",
    ),
    shortened=("'s", "'m", "'re", "'ve", "'ll", "'d"),
    pairs=_pairs(
        "at: look looking arrive arriving good problem",
        "for: look looking ask asking wait waiting pay paying call calling care apply except thank thanks you",
        "about: ask asking think thinking talk sorry worry",
        "after: look looking",
        "on: hold go going carry turn put come based depending depend switch log try keep later early",
        "in: come check checking fill sign log put move bring drop stop fit plug type",
        "into: look looking log turn run",
        "over: start left come hand take",
        "through: put get go come",
        "by: come stop drop pass go close",
        "with: deal along up start help agree happy honest right",
        "from: calling coming apart away hear far different",
        "around: look turn come go",
        "under: down",
        "so: think hope say said believe ever thank thanks you",
        "to: want wants wanted need needs love able going used try trying forward ought supposed due",
        "to: close according up similar sure back prefer afraid where when belong belongs listen speak",
        "to: talk free open order here got likely thing about",
        "that: so now given",
        "and: up salt fish bed again pros back now hundred thousand try terms",
        "or: one either",
        "who: anyone someone",
        "some: here's",
    )
    | frozenset(("that", subject) for subject in _SUBJECTS),
    numbers=_words(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
        "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand noon midnight",
        "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays",
        "saturdays sundays second third fourth fifth sixth seventh eighth ninth tenth",
    ),
    ranges=_words("to and or until till past after before"),
    filler="somebody else as well.",
)

JOINTS: Mapping[str, JointWords] = MappingProxyType({"en": ENGLISH})
"""By language. In a language that is not here, phrases end at punctuation only."""


def joints_of(language: str) -> JointWords | None:
    """The words for a language, which may be a tag with a region: "en-GB"."""
    return JOINTS.get(language.replace("_", "-").partition("-")[0].lower())


def is_joint(before: Sequence[str], opener: str, joints: JointWords) -> bool:
    """Whether a sentence that begins with the words `before`, and goes on with `opener` and more, may be divided there.

    Args:
        before: as written, with any punctuation, without white space.
        opener: complete, with any punctuation.
    """
    word, earlier = _plain(opener), [_plain(one) for one in before if any(c.isalnum() for c in one)]
    capital = opener[:1].isupper() and word not in joints.subjects  # "May", "Will"
    if not earlier or capital or not _long_enough(earlier, word, joints):
        return False
    last = earlier[-1]
    # "in May and": a name in the middle of a sentence is none of these words.
    named = len(earlier) > 1 and before[-1][:1].isupper() and last not in joints.subjects
    if (last in joints.bound and not named) or last.endswith(joints.shortened) or (last, word) in joints.pairs:
        return False
    if word in joints.ranges and (last in joints.numbers or _DIGITS.fullmatch(last)):
        return False
    return word not in joints.verbs or _is_subject(earlier, joints)


def _long_enough(earlier: Sequence[str], word: str, joints: JointWords) -> bool:
    if word in joints.openers or word in joints.subjects or word in joints.verbs:
        least = joints.least_words
    elif word in joints.weak:
        least = joints.weak_words
    else:
        return False
    return len(earlier) >= least and sum(map(_syllables, earlier)) >= joints.least_syllables


def _is_subject(words: Sequence[str], joints: JointWords) -> bool:
    clausal = joints.auxiliaries | joints.subjects
    return words[-1] not in joints.pronouns and not any(w in clausal or w.endswith(joints.shortened) for w in words)


def _plain(word: str) -> str:
    return word.lower().replace("’", "'").lstrip("\"'“‘«([{*_`")


def _syllables(word: str) -> int:
    """Roughly: groups of vowels, less a mute e, at least one; one for each digit."""
    digits = sum(c.isdigit() for c in word)
    groups = len(_VOWELS.findall(word)) - bool(_MUTE.search(word))
    return digits + max(groups, 0 if digits else 1)
