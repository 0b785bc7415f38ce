"""Whether words make a whole sentence, or one that wants more. Pure; a few word lists, no parser.

What is looked for is what is missing: a noun after "a large", an object after "I need", the main clause after "if …", a
verb after "my order from last week". A sentence that misses nothing may still go on, so this is evidence and no proof.
"""

from __future__ import annotations

from functools import lru_cache

from voiceloop.grammar import Grammar
from voiceloop.turns.cue_words import PhraseSet, phrases

__all__ = ["Clauses", "clauses_of"]

Judged = tuple[float, str]


class Clauses:
    """The lists of one language, ready to be looked up. Keeps nothing of what it judges."""

    def __init__(self, grammar: Grammar) -> None:
        def ready(entries: frozenset[str]) -> PhraseSet:
            return phrases(entries)

        self.openers = ready(grammar.openers)
        self.fillers = ready(grammar.fillers)
        self.answers = ready(grammar.answers)
        self.choices = ready(grammar.choices)
        self.endless = ready(grammar.endless)
        self.months = ready(grammar.months).all
        self.days = ready(grammar.days).all
        self.prepositions = ready(grammar.prepositions).all
        self.wanting = ready(grammar.wanting).all
        self.joins_nouns = ready(grammar.joins_nouns).all
        self.alone = ready(grammar.alone).all
        self._fronting = ready(grammar.fronting).all
        self._particles = ready(grammar.particles).all
        self._phrasal = ready(grammar.phrasal).all
        self._adverbs = ready(grammar.adverbs).all
        self.determiners = ready(grammar.determiners).all
        self._agreeing = ready(grammar.agreeing).all
        self._onsets = ready(grammar.clauses)
        self._subjects = ready(grammar.subjects).all
        self._verbs = ready(grammar.verbs).all
        self._endings = grammar.endings
        self._auxiliaries = ready(grammar.auxiliaries).all
        self._imperatives = ready(grammar.imperatives).all
        self._asking = ready(grammar.asking)
        self._joining = ready(grammar.joining)
        self._definite = ready(grammar.definite).all
        self._adjectives = ready(grammar.adjectives).all
        self._possessive = grammar.possessive
        self._like_adjectives = grammar.adjective_endings
        self._no_adjectives = ready(grammar.no_adjectives).all
        self._linking = ready(grammar.linking).all
        self._telling = self._subjects | self._verbs | self._onsets.first_words | self._joining.first_words
        self._before_nouns = self.determiners | self._adjectives
        self._no_nouns = (
            self._before_nouns | self._verbs | self._subjects | self.prepositions | self._auxiliaries | self.days
            | self._joining.all | self._asking.all | self.openers.all
        )  # fmt: skip

    def core(self, said: list[str]) -> list[str]:
        """The words without what stands before the matter: "okay so um", "yes", "hi there"."""
        at = 0
        while at < len(said) and (n := self.openers.at(said, at) or self.fillers.at(said, at)):
            at += n
        return said[at:]

    def agrees(self, said: list[str]) -> bool:
        """Whether they begin with a yes or a no."""
        return bool(said) and said[0] in self._agreeing

    def joins(self, core: list[str]) -> bool:
        """Whether they begin with a word like "when", "if"."""
        return bool(self._joining.at(core, 0))

    def asks(self, core: list[str]) -> bool:
        """Whether they begin a question with "what", "how", …"""
        return bool(core) and core[0] in self._asking.all

    def stranded(self, core: list[str]) -> Judged | None:
        """Whether a last word that ends no statement may end this: "what is that for", "I don't know where it is"."""
        if len(core) < 3:
            return None
        last, before = core[-1], core[-2]
        if last in self._subjects:
            asked = self.asks(core) and before in self._linking and before in self._auxiliaries
            return (1.2, "a whole question") if asked else None  # "what time is it"
        if last in self.prepositions or last in self._particles:
            return self._trailing(core, last, before)
        if last in self._linking and last in self._auxiliaries:
            return self._be_at_end(core, last, before)
        if (last in self.wanting or last in self._auxiliaries) and before in self._subjects:
            return self._object_before(core, last)
        return None

    def _trailing(self, core: list[str], last: str, before: str) -> Judged | None:
        """A preposition at the end: of a question about its noun, or of a verb, "switch the heating on"."""
        noun = before in self._before_nouns and before not in self._joining.all  # "what is that for" is no "that …"
        fronted = core[0] in self._fronting and (core[1] in self._auxiliaries or core[0] in self._onsets.all)
        if last in self.prepositions and last != "to" and not noun and fronted and len(core) > 3:
            return 1.0, f'a question may end with "{last}"'
        if any(word in self._fronting for word in core[1:-2]) and before in self._onsets.all:
            return 0.6, f'a clause may end with "{last}"'  # "that's what it's for"
        if last not in self._particles or before in self._imperatives or noun:
            return None
        if before in self._linking and before in self._auxiliaries:
            return 0.0, f'a clause may end with "{last}"'
        if any(word in self._phrasal for word in core[-5:-2]):
            return (1.0 if before in self._linking else 0.5), f'a request may end with "{last}"'
        return None

    def _be_at_end(self, core: list[str], last: str, before: str) -> Judged | None:
        """A form of "be" at the end, of a clause that asks: "where it is"."""
        if (
            not any(word in self._asking.all for word in core[max(1, len(core) - 6) : -1])
            or before in self._before_nouns
        ):
            return None
        return (1.0 if before in self._subjects else 0.3), f'a clause may end with "{last}"'

    def _object_before(self, core: list[str], last: str) -> Judged | None:
        """A verb at the end whose object stands before the clause: "what do you have", "the letter you sent"."""
        if any(word in self._fronting for word in core[:-2]):
            return 1.0, f'with its object before it a clause may end with "{last}"'
        if last in self.wanting and core[-3] not in self._no_nouns:
            return 0.3, f'about a noun a clause may end with "{last}"'
        return None

    def dangling(self, core: list[str]) -> Judged | None:
        """What the last word wants, and how much that speaks against an end; None when it wants nothing."""
        last, before = core[-1], core[-2] if len(core) > 1 else ""
        if last in self._subjects and before:
            asked = self.asks(core) and before in self._linking
            led = before in self._joining.all or before in self._asking.all or before in self.openers.all
            if led or (before in self._auxiliaries and before not in self.wanting and not asked):
                return -1.5, f'wants a verb after "{before} {last}"'
        if before in self._auxiliaries and last in self._adverbs:
            return -1.2, f'wants a verb after "{before} {last}"'
        if before and last.endswith(self._possessive) and last not in self._onsets.all:
            return -1.5, f'wants a noun after "{last}"'
        if last in self._asking.all and before:
            return -1.2, f'wants a clause after "{last}"'
        if self._bare_question(core):
            return -1.5, "a question wants its verb"
        if self._is_adjective(last):
            led = before in self._before_nouns or before in self.prepositions or before in self.wanting or not before
            led = led and before not in self._joining.all  # "before dark"
            if led and (before in self.determiners or before not in self._linking):
                return (-1.5 if before else -1.0), f'wants a noun after "{last}"'
        participle = len(last) > 4 and bool(self._endings) and last.endswith(self._endings)
        if participle and before in self.determiners and before not in self._asking.all:
            return -1.0, f'wants a noun after "{last}"'  # "the grilled"
        if last in self.wanting and before not in self._before_nouns:
            related = any(word in self._asking.all or word in self._joining.all for word in core[:-2]) or (
                before in self._subjects and len(core) > 2 and core[-3] not in self._no_nouns
            )  # "the letter you sent"
            if not related:
                return (-0.6 if before == "to" else -1.5), f'wants an object after "{last}"'
        return None

    def _is_adjective(self, word: str) -> bool:
        return word in self._adjectives or (
            len(word) > 5
            and word.endswith(self._like_adjectives)
            and word not in self._no_adjectives
            and word not in self._verbs
        )

    def _bare_question(self, core: list[str]) -> bool:
        """Whether a question has a subject and no more: "how much does the premium", "is your shop"."""
        at = next((i for i, word in enumerate(core[:4]) if word in self._auxiliaries), -1)
        if at < 0 or any(word not in self._asking.all for word in core[:at]):
            return False
        if at and core[at] in self._linking:  # "where is your shop"
            return False
        at += 1
        if at < len(core) and core[at] in self._subjects:
            return at + 1 == len(core)
        first = at
        while at < len(core) and core[at] in self._before_nouns:
            at += 1
        return at > first and at + 1 >= len(core)

    def judge(self, core: list[str]) -> Judged:
        """How much speaks for a whole sentence, above 0, or for one that misses a clause or its verb, below."""
        verbs, needed = self._count(core)
        question = not self._leads(core) and (core[0] in self._auxiliaries or core[0] in self._asking.all)
        if needed == 2 and verbs == 1 and self._time_told(core):
            return 0.6, "a sentence, or two clauses of which one is missing"
        if needed > 1 and verbs < needed:
            return -1.5, "a clause is missing"
        if verbs:
            if len(core) < 3:
                return (-0.6, "a few words")
            return (1.5, "a whole question") if question else (1.2, "a whole sentence")
        if question:
            return -0.4, "a question without a verb"
        if core[0] in self._definite:
            return -1.0, "a subject without a verb"
        return (0.4 if len(core) > 1 else 0.0), "no sentence"  # "the second of may": more often an answer than a begin

    def _count(self, core: list[str]) -> tuple[int, int]:
        """Verbs that make clauses, and how many there must be."""
        verbs, needed, helped = 0, 1, False
        if core[0] in self._imperatives:
            verbs, helped = 1, core[0] in self._auxiliaries
        at = 1 if verbs else 0
        if self._leads(core):
            at, needed = self._joining.at(core, 0), 2
            verbs = int(core[0] in self._auxiliaries)  # "had I known"
        while at < len(core):
            word, before = core[at], core[at - 1] if at else ""
            taken = 1
            if word not in self._telling and not word.endswith(self._endings):
                helped = helped and (word in self._no_nouns or before in self._auxiliaries)
                at += 1
                continue
            if n := self._onsets.at(core, at):
                needed += self._relative(core, at, verbs)
                verbs, helped, taken = verbs + 1, True, n
            elif word in self._subjects:
                needed += self._relative(core, at, verbs)
                if not helped and self._unknown_verb(core, at):
                    verbs, taken = verbs + 1, 2
            elif self._is_verb(word, before):
                verbs, helped = verbs + (not helped), word in self._auxiliaries
            elif (n := self._joining.at(core, at)) and self._joins(core, at):
                needed, helped, taken = needed + 1, False, n
            elif word not in self._no_nouns:
                helped = helped and before in self._auxiliaries
            at += taken
        return verbs, needed

    def _leads(self, core: list[str]) -> bool:
        """Whether a clause that wants a main clause begins them: "when the letter came", "had I known"."""
        return self._joining.at(core, 0) > 0 and self._joins(core, 0)

    def _time_told(self, core: list[str]) -> bool:
        """Whether the last words are "before the weekend", where a clause might follow after "before"."""
        return any(
            core[at] in self.prepositions and core[at] in self._joining.all and core[at + 1] in self._before_nouns
            for at in range(max(1, len(core) - 5), len(core) - 2)
        )

    def _is_verb(self, word: str, before: str) -> bool:
        asked = before in self._asking.all and word in self._auxiliaries  # "what are you doing"
        if (before in self._before_nouns and not asked) or before == "to":
            return False
        return word in self._verbs or bool(self._endings and len(word) > 4 and word.endswith(self._endings))

    def _joins(self, core: list[str], at: int) -> bool:
        """Whether a joining word begins a clause here: the "that" of "that one" does not."""
        if at == 0 and core[0] in self.prepositions and len(core) > 1 and core[1] in self._before_nouns:
            return False  # "after the update"
        if at == 0:
            led = len(core) > 1 and (core[1] in self._subjects or core[1] in self._definite)
            return core[0] not in self._asking.all or led
        after = core[at + 1] if at + 1 < len(core) else ""
        return (
            after in self._subjects
            or after in self._onsets.all
            or after in self._definite
            or self._is_verb(after, core[at])
        )

    def _unknown_verb(self, core: list[str], at: int) -> bool:
        """Whether a word of no list after a pronoun that begins a clause is its verb: "if I miss …"."""
        if at + 1 == len(core) or (
            at and core[at - 1] not in self._joining.all and core[at - 1] not in self.openers.all
        ):
            return False
        return core[at + 1] not in self._no_nouns

    def _relative(self, core: list[str], at: int, verbs: int) -> bool:
        """Whether a pronoun begins a clause about the noun before it: "the thing I ordered"."""
        return not verbs and at > 1 and core[0] in self._definite and core[at - 1] not in self._no_nouns


@lru_cache(maxsize=64)
def clauses_of(grammar: Grammar) -> Clauses:
    """The lists of a language, made ready once."""
    return Clauses(grammar)
