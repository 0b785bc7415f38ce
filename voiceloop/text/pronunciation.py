"""A table of words and phrases and how they are pronounced. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from voiceloop.text.window import Match, Window

__all__ = ["Pronunciations"]

MOST_WORDS = 8
"""Words of a phrase: text is held back until it is clear that a phrase is not complete."""
_POSSESSIVE = ("'s", "’s")


class Pronunciations:
    """Whole words and phrases, and what is said for them.

    A key that has a capital behind the first letter of a word (``SQL``, ``iPhone``) stands for that spelling only; any
    other key also for its spellings with capitals: ``Gnocchi`` is found in "gnocchi" and "GNOCCHI". The longest phrase
    wins. What is said is not read any further.

    Raises:
        ValueError: a key is empty, or has more than eight words.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], bool, str]]] = {}
        for key, said in table.items():
            words = key.split()
            if not 0 < len(words) <= MOST_WORDS:
                raise ValueError(
                    f"a key of the pronunciation table has 1 to {MOST_WORDS} words, not {len(words)}: {key!r}"
                )
            exact = any(letter.isupper() for word in words for letter in word[1:])
            phrase = tuple(words) if exact else tuple(word.casefold() for word in words)
            self._phrases.setdefault(words[0].casefold(), []).append((phrase, exact, said))
        for phrases in self._phrases.values():
            phrases.sort(key=lambda phrase: (-len(phrase[0]), not phrase[1]))

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def begins(self, core: str) -> bool:
        """Whether a phrase begins with this word, which has no apostrophe."""
        return bool(self._phrases) and core.casefold() in self._phrases

    def match(self, window: Window) -> Match | None:
        """The longest phrase that begins here. Raises `More` while a longer one is possible."""
        core = window.word.core
        found = self._longest(window, core, "")
        if found is None and core.endswith(_POSSESSIVE):
            return self._longest(window, core[:-2], core[-2:])
        return found

    def _longest(self, window: Window, core: str, ending: str) -> Match | None:
        for phrase, exact, said in self._phrases.get(core.casefold(), ()):
            if (core if exact else core.casefold()) != phrase[0]:
                continue
            last = ""
            if len(phrase) > 1:
                if ending or not all(
                    self._follows(window, place, phrase[place], exact) for place in range(1, len(phrase) - 1)
                ):
                    continue
                word = window.joined(len(phrase) - 1)
                if word is None:
                    continue
                last = word.core[-2:] if word.core.endswith(_POSSESSIVE) else ""
                if not _same(word.core, phrase[-1], exact):
                    if not last or not _same(word.core[:-2], phrase[-1], exact):
                        continue
                else:
                    last = ""
            return window.match(said + (ending or last), len(phrase))
        return None

    @staticmethod
    def _follows(window: Window, place: int, wanted: str, exact: bool) -> bool:
        word = window.joined(place)
        return word is not None and _same(word.core, wanted, exact)


def _same(core: str, wanted: str, exact: bool) -> bool:
    return (core if exact else core.casefold()) == wanted
