"""What the library knows of how a language is put together: enough to tell a whole turn from a half one.

Not a grammar of a linguist: word lists, filled in by `voiceloop.languages`, read by `voiceloop.turns.completeness` and
`voiceloop.turns.numbers`. An empty list only means that its rule finds nothing. Entries may have several words; case,
punctuation and hyphens do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AskedFor", "Grammar", "NumberWords"]

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NumberWords:
    """How numbers and spelled letters are said."""

    digits: frozenset[str] = _NONE
    """One figure each: "zero", "oh", "one" … "nine"."""
    pairs: frozenset[str] = _NONE
    """Two figures each: "ten", "twelve", "ninety"; in languages that write it as one word also 21 to 99."""
    tens: frozenset[str] = _NONE
    """Those of `pairs` that take a digit: "twenty three" has two figures."""
    powers: frozenset[str] = _NONE
    """"hundred", "thousand"."""
    repeats: frozenset[str] = _NONE
    """What stands before a figure or letter that comes twice or more: "double"."""
    triples: frozenset[str] = _NONE
    """Those of `repeats` that mean three."""
    joins: frozenset[str] = _NONE
    """Stands inside a number and never ends one: the "and" of "two hundred and five", "point"."""
    marks: frozenset[str] = _NONE
    """Said between figures without being one: "dash", "space", "extension"."""
    spelling: frozenset[str] = _NONE
    """Between a letter and a word that begins with it: "as in", "for"."""
    letters: frozenset[str] = _NONE
    """Letters as recognisers write them out: "zed". Single characters need not be listed."""
    at: frozenset[str] = _NONE
    """The @ of an e-mail address, as said."""
    dot: frozenset[str] = _NONE
    """The dot in it, as said."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What words in the agent's question ask for."""

    digits: tuple[tuple[str, int, int], ...] = ()
    """Words, and the fewest and the most figures that answer them: ("zip code", 5, 5). The first that fits counts."""
    digit: frozenset[str] = _NONE
    """The word after a number of digits: the "digit" of "four-digit code", the "digits" of "last four digits"."""
    quantity: frozenset[str] = _NONE
    """Answered by one number: "how many", "what time"."""
    spelled: frozenset[str] = _NONE
    """Answered by spelling or with an e-mail address: "spell", "email"."""
    story: frozenset[str] = _NONE
    """Answered at length: "what happened", "tell me more"."""
    either: frozenset[str] = _NONE
    """How a yes-or-no question begins: "do", "is", "would"."""
    which: frozenset[str] = _NONE
    """What asks for one thing: "what size", "which", "when"."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How phrases and clauses of a language begin and what they want after them."""

    openers: frozenset[str] = _NONE
    """Stand before what is meant and say nothing of it: "okay", "well", "hi", "actually"."""
    fillers: frozenset[str] = _NONE
    """Said while thinking: "um", "uh", "let me see"."""
    answers: frozenset[str] = _NONE
    """Whole answers to a yes-or-no question: "yes", "no thanks", "that's right"."""
    agreeing: frozenset[str] = _NONE
    """How such answers begin: "yes", "no"."""
    choices: frozenset[str] = _NONE
    """Whole answers to "which" and "what": "the first one", "neither"."""
    clauses: frozenset[str] = _NONE
    """Subject and verb in one word: "I'm", "it's"."""
    subjects: frozenset[str] = _NONE
    """Pronouns that begin a clause: "I", "they"."""
    verbs: frozenset[str] = _NONE
    """Common verbs in the forms that make a clause."""
    endings: tuple[str, ...] = ()
    """How words end that are verbs of a clause nearly always: "ed"."""
    auxiliaries: frozenset[str] = _NONE
    """Verbs that begin a question and want another: "can", "do"; also end a short answer: "yes I do"."""
    imperatives: frozenset[str] = _NONE
    """Verbs that may begin a request: "cancel", "give"."""
    asking: frozenset[str] = _NONE
    """Words that begin a question: "what", "how much"."""
    joining: frozenset[str] = _NONE
    """Begin a clause that wants another one: "if", "when", "who", "that"."""
    determiners: frozenset[str] = _NONE
    """Begin a phrase that wants a noun: "a", "the", "my", "two"."""
    definite: frozenset[str] = _NONE
    """Those of them that often begin a subject: "my", "the"."""
    adjectives: frozenset[str] = _NONE
    """Stand before the noun: "large", "next". A phrase does not end with one, a clause may: "it was cold"."""
    adjective_endings: tuple[str, ...] = ()
    """How words end that are adjectives nearly always: "est", "ous"."""
    possessive: tuple[str, ...] = ()
    """How words end that want what they own: "'s"."""
    linking: frozenset[str] = _NONE
    """After these an adjective ends a clause: "is", "was", "too", "very"."""
    wanting: frozenset[str] = _NONE
    """Verbs that want an object: "need", "order", "changed"."""
    alone: frozenset[str] = _NONE
    """Whole when nothing else is said, though their last words want something elsewhere: "go on", "what is it"."""
    fronting: frozenset[str] = _NONE
    """Asking words that stand for an object, and nouns before a clause that wants none: "what do you have", "all I
    need"."""
    particles: frozenset[str] = _NONE
    """Prepositions that end a request whose verb they belong to: "switch the heating on"."""
    joins_nouns: frozenset[str] = _NONE
    """Stand between two things of a list: "and", "or"."""
    phrasal: frozenset[str] = _NONE
    """Verbs that take one."""
    adverbs: frozenset[str] = _NONE
    """Stand between an auxiliary and the verb that is still to come: "will never"."""
    no_adjectives: frozenset[str] = _NONE
    """Words that end like an adjective and are none: "request", "vegetable"."""
    prepositions: frozenset[str] = _NONE
    """Those that may also end a question: "what is that for"."""
    endless: frozenset[str] = _NONE
    """Verb and preposition or pronoun that want more: "tell me", "looking for"."""
    months: frozenset[str] = _NONE
    """Names of months."""
    days: frozenset[str] = _NONE
    """Names of days, and "today", "tomorrow"."""
