"""What an agent says: every piece of it is an answer, in its place behind the one before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from voiceloop.answer import Answer
from voiceloop.conversation import Message, ToolCall
from voiceloop.frames import Text
from voiceloop.journal import from_outside
from voiceloop.language import Phrases
from voiceloop.runtime import Canned, Runtime
from voiceloop.served import Served
from voiceloop.sounding import Sounding
from voiceloop.spoken_answer import Round

__all__ = ["Speaking"]


class Speaking(Sounding):
    """The part of a `Call` that speaks, and remembers what was heard of it."""

    def __init__(self, id: str, runtime: Runtime) -> None:
        super().__init__(id, runtime)
        self.phrases = Phrases()
        """What the library itself says."""
        self.voice: object = None
        """The voice provider of the pipeline; canned speech is kept per voice."""
        self.ahead: list[str] = []
        """Texts that the voice renders before the call begins: the greeting. Filled in `Processor.start`."""
        self.reader: Callable[[str], Awaitable[list[tuple[str, int]]]] | None = None
        """Gives what is spoken for a text, as in `Answer.script`: of a stage that reads texts before the voice."""
        self.scripts: dict[str, list[tuple[str, int]]] = {}
        """What was rendered ahead otherwise than it is written, by the text as it is written."""

    @from_outside
    def say(self, text: str, *, interruptible: bool = True) -> Answer:
        """Say something, after what is being said now. Speech that was rendered ahead is played at once."""
        audio = self._canned(text)
        if audio is not None:
            answer = self.play(audio.audio, text=text, words=audio.words, interruptible=interruptible)
            answer.script += self.scripts.get(text, ())
            return answer
        engine = self._running("say")
        answer = self._begin(engine, interruptible)
        answer.text = text
        answer.stamp("text", self.now)
        engine.dispatch(Text(answer, text), engine.head)
        engine.finish(answer, -1)
        return answer

    # --- what is remembered of it --------------------------------------------------------------------------

    def remember(
        self, answer: Answer, heard: str, unheard: str = "", interrupted: bool = False, bound: int = 0
    ) -> None:
        """Keep the conversation's record of an answer up to date: what was heard of it, and what was not.

        It enters the conversation when the first of it was heard. `bound`: by how many words `heard` may be off.
        """
        self._record.remember(answer, heard, unheard, interrupted, bound)

    def note_tools(self, answer: Answer, calls: tuple[ToolCall, ...], echo: object = None) -> Round:
        """The model asked for tools in the middle of an answer; the results go into `Round.given`."""
        return self._record.note_tools(answer, calls, echo)

    def messages_for(self, answer: Answer | None) -> list[Message]:
        """The conversation for a request of the answer that is being written: its own text as written, all else as
        heard."""
        return self._record.messages_for(answer)

    def note_served(self, kind: str, served: Served) -> None:
        """Keep who did the work of a request to providers of a kind (``stt``, ``llm``, ``tts``)."""
        if self._record.note_served(kind, served):
            self.note_fault(f"{served.instead_of}.replaced", f"{served.name} does its work: {served.why}")

    def _canned(self, text: str) -> Canned | None:
        if self.voice is None:
            return None
        script = self.scripts.get(text)
        found = self.runtime.canned(self.voice, text if script is None else "".join(said for said, _ in script))
        return found if self.journal is None else self.journal.canned(text, found)
