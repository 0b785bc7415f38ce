"""The table of languages: one file each."""

from __future__ import annotations

from dataclasses import replace

from voiceloop.language import Language, LanguageError, check_tag, primary
from voiceloop.languages.de import GERMAN
from voiceloop.languages.en import ENGLISH
from voiceloop.languages.es import SPANISH
from voiceloop.languages.fr import FRENCH
from voiceloop.languages.it import ITALIAN
from voiceloop.languages.nl import DUTCH
from voiceloop.languages.pt import PORTUGUESE

__all__ = ["LANGUAGES", "language_of"]

LANGUAGES: dict[str, Language] = {
    language.tag: language for language in (ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN, DUTCH, PORTUGUESE)
}
"""By tag. Read when a pipeline is built: change it before that."""


def language_of(named: str | Language) -> Language:
    """The language a bot names: from the table, where ``de-AT`` is found as ``de`` if it has no entry of its own.

    Raises:
        LanguageError: it is not in the table.
    """
    if isinstance(named, Language):
        return named
    tag = check_tag(named)
    found = LANGUAGES.get(tag) or LANGUAGES.get(primary(tag))
    if found is None:
        known = ", ".join(sorted(LANGUAGES))
        raise LanguageError(
            f"language {tag!r} is not in the table (it has {known}): add it to voiceloop.LANGUAGES, or give the bot "
            f"Language({tag!r}, Phrases(...), Cues(...))"
        )
    return replace(found, tag=tag)
