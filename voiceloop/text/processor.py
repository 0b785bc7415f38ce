"""Between the model and the voice: text for the eye in, text for the ear out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache, partial

from voiceloop.answer import Answer
from voiceloop.frames import AnswerEnd, AnswerEnded, Text
from voiceloop.processor import Processor
from voiceloop.text.reader import Piece, Reader, Rules
from voiceloop.text.reading import Reading, reading_for

__all__ = ["SpokenText"]

LOAD_COST = 0.05
"""Seconds that loading a language is said to take in virtual time."""


class _Reading:
    """One answer on its way through."""

    __slots__ = ("reader", "recorded", "taken")

    def __init__(self, reader: Reader, *, recorded: bool) -> None:
        self.reader = reader
        self.recorded = recorded
        """Whether its script is ours to write: not behind another `SpokenText`, nor behind one who changes words."""
        self.taken = 0
        """Characters of the written text that came by."""


class SpokenText(Processor):
    """Reads numbers, dates, addresses and abbreviations as people do, and takes out what cannot be spoken.

    It stands between the model and the voice. What is remembered stays what the model wrote.

    Args:
        pronounce: words and phrases, and how they are said; see `voiceloop.text.pronunciation.Pronunciations`.
        language: a BCP-47 tag such as ``en-GB``, or a `Reading`; None for the language of the call. For a language
            without a reading, marks and emoji are taken out and the pronunciation table is heeded.
    """

    def __init__(self, pronounce: Mapping[str, str] | None = None, *, language: str | Reading | None = None) -> None:
        self._pronounce = dict(pronounce or {})
        self._language = language
        Rules(None, self._pronounce)  # a wrong table is an error where it is written
        self._rules: Rules | None = None
        self._loading: asyncio.Future[None] | None = None
        self._answers: dict[Answer, _Reading] = {}

    async def start(self) -> None:
        """Load the language.

        Raises:
            MissingExtra: the extra ``text`` is not installed.
        """
        language = self._language or self.call.language
        self._loading = asyncio.get_running_loop().create_future()
        self.call.reader = self.script_of
        try:
            table = tuple(self._pronounce.items())
            load = _load if isinstance(language, Reading) else _shared
            loading = partial(self.call.runtime.offload, load, language, table, virtual_cost=LOAD_COST)
            self._rules = await self.call.awaited(loading)
        finally:
            self._loading.set_result(None)

    async def script_of(self, text: str) -> list[tuple[str, int]]:
        """What is spoken for a whole text, as in `Answer.script`: for speech that is rendered ahead.

        May be asked while the call begins; waits then until the language is loaded.
        """
        if self._loading is not None:
            await asyncio.shield(self._loading)
        reader = Reader(self._loaded())
        return [*reader.feed(text), *reader.close()]

    def on_text(self, text: Text) -> None:
        """Speak what is certain."""
        state = self._answers.get(text.answer)
        if state is None:
            reader = Reader(self._loaded())
            state = self._answers[text.answer] = _Reading(reader, recorded=not text.answer.script)
        if state.recorded and not text.answer.text.startswith(text.text, state.taken):
            state.recorded = False  # somebody in front changed the words: places in the text mean nothing any more
            text.answer.script.clear()
        state.taken += len(text.text)
        self._say(text.answer, state, state.reader.feed(text.text))

    def on_answer_end(self, end: AnswerEnd) -> None:
        """Speak what was held back."""
        state = self._answers.pop(end.answer, None)
        if state is not None:
            self._say(end.answer, state, state.reader.close())

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """Forget a dead answer."""
        self._answers.pop(ended.answer, None)

    def _say(self, answer: Answer, state: _Reading, pieces: list[Piece]) -> None:
        if not pieces:
            return
        if state.recorded:
            answer.script += pieces
        said = "".join(piece.spoken for piece in pieces)
        if said:
            self.push(Text(answer, said))

    def _loaded(self) -> Rules:
        if self._rules is None:  # start failed or took too long, and the call goes on
            self._rules = Rules(None, self._pronounce)
        return self._rules


def _load(language: str | Reading, pronounce: tuple[tuple[str, str], ...]) -> Rules:
    reading = reading_for(language) if isinstance(language, str) else language
    return Rules(reading, dict(pronounce))


@lru_cache(maxsize=32)
def _shared(language: str, pronounce: tuple[tuple[str, str], ...]) -> Rules:
    """The calls of a bot have the same rules."""
    return _load(language, pronounce)
