"""The language of a bot: what the library itself says in it, and which words of the caller tell it something.

All of it stands in one table, `LANGUAGES`. Replace an entry, add one, or give a bot a `Language` of its own::

    LANGUAGES["da"] = Language("da", Phrases(apology="Undskyld, noget gik galt."))
    Pipeline([...], language="da")
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from voiceloop.errors import VoiceloopError
from voiceloop.grammar import AskedFor, Grammar, NumberWords

__all__ = ["Cues", "Language", "LanguageError", "Phrases", "check_language", "check_tag", "primary"]

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class LanguageError(VoiceloopError, ValueError):
    """A language that is none, that is not in the table, or that a provider does not know."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the library itself says to a caller. Plain speech, short sentences."""

    apology: str = "Sorry, something went wrong. Could you say that again?"
    """After an answer failed."""
    not_understood: str = "Sorry, I didn't catch that."
    """After speech that could not be recognised."""
    still_there: str = "Are you still there?"
    """After the caller was silent for a while."""
    goodbye: str = "Goodbye."
    """Before a polite end."""
    failed: str = "Sorry, I have a technical problem. Please call again later. Goodbye."
    """Before the call is given up."""
    cut_off: str = "Sorry, we were cut off."
    """When the line was lost and the caller is back."""
    one_moment: str = "One moment, please."
    """While a tool of the agent's takes its time. Part of the answer, so it is not rendered ahead."""
    still_working: str = "I'm still working on it."
    """The same, later."""

    def all(self) -> tuple[str, ...]:
        """Every phrase that is said by itself, so that they can be rendered ahead."""
        return (self.apology, self.not_understood, self.still_there, self.goodbye, self.failed, self.cut_off)


@dataclass(frozen=True, slots=True)
class Cues:
    """Words of callers that mean something for the course of a call.

    Each entry is one word or several ("that's all"). Case, punctuation and hyphens do not matter; see
    `voiceloop.turns.cue_words`.
    """

    unfinished: frozenset[str] = frozenset()
    """Nobody ends a turn with one of these: a caller who falls silent after "and" or "um" is given more time."""
    hello: str = "Hello?"
    """What a caller is taken to have said when the agent speaks first; some models want the caller to begin."""
    finished: frozenset[str] = frozenset()
    """Whoever ends with one of these is done: "please", "thanks", "that's all"."""
    backchannels: frozenset[str] = frozenset()
    """Sounds and words of a listener that take no turn: "mhm", "yeah", "okay", "I see"."""
    stops: frozenset[str] = frozenset()
    """Words that are meant to stop the agent, at once: "stop", "wait", "no", "hold on"."""
    greetings: frozenset[str] = frozenset()
    """What callers say into a greeting without taking a turn: "hello", "hi there"."""
    grammar: Grammar = field(default_factory=Grammar)
    """How what is said is put together: to tell a whole turn from a half one."""
    numbers: NumberWords = field(default_factory=NumberWords)
    """How numbers and letters are said."""
    asked_for: AskedFor = field(default_factory=AskedFor)
    """What words in the agent's question ask for."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language, or one bot's way of speaking it."""

    tag: str
    """BCP 47: ``en``, ``en-GB``, ``pt-BR``."""
    phrases: Phrases = field(default_factory=Phrases)
    cues: Cues = field(default_factory=Cues)

    def __post_init__(self) -> None:
        check_tag(self.tag)


def check_tag(tag: str) -> str:
    """Return the tag.

    Raises:
        LanguageError: it is not formed like a tag of BCP 47 (RFC 5646).
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise LanguageError(f"expected a language tag such as 'en', 'de' or 'pt-BR', got {tag!r}")
    return tag


def check_language(provider: object, languages: Sequence[str] | None, tag: str) -> None:
    """See that a provider knows a language.

    Args:
        provider: for the message.
        languages: what it knows, without regions; None for anything.
        tag: what is asked of it.

    Raises:
        LanguageError: it does not.
    """
    if languages is not None and primary(check_tag(tag)) not in languages:
        raise LanguageError(
            f"{type(provider).__name__} knows {', '.join(languages)}, and the bot's language is {tag!r}: "
            f"use another provider, or Pipeline(..., language={languages[0]!r})"
        )


def primary(tag: str) -> str:
    """The language of a tag without region and script: ``pt`` of ``pt-BR``."""
    return tag.partition("-")[0].lower()
