"""Whether what the caller has said sounds finished. Pure: words in, evidence out.

The rules, in the order in which they are asked:

1. a number or a spelled word that is going on, or that is complete for what was asked;
2. a whole answer to the question asked: yes or no, one number, a word or a few;
3. the last word or words: "please" ends a turn, "and", "um", "I'd like to" do not; nor do "…" and a comma;
4. what the sentence misses: a noun, an object, a verb, its main clause (`voiceloop.turns.clauses`).
"""

from __future__ import annotations

from dataclasses import dataclass

from voiceloop.language import Cues
from voiceloop.turns.clauses import Clauses, clauses_of
from voiceloop.turns.cue_words import phrases, words
from voiceloop.turns.endpointing import SoFar
from voiceloop.turns.numbers import Number, read_number, read_spelled
from voiceloop.turns.questions import Asked, asked_for

__all__ = ["Evidence", "evidence"]

_LOOKED_AT = 60
"""Words, the last ones, that are looked at."""
_TRUNKS = frozenset(("0", "1", "zero", "oh", "one", "null", "cero", "zéro", "nul"))
"""How a national number begins that has one figure more: with what is dialled before it within the country."""


_MARKS = {
    ".": (0.2, ""),
    "!": (0.2, ""),
    "?": (0.3, ""),
    ",": (-1.5, ", and a comma"),
}
"""What the recogniser's mark adds, as log-odds. Moonshine closes 3 in 4 whole sentences and 1 in 2 broken ones with a
full stop, puts a question mark behind as many of both, and a comma behind broken ones nearly alone. A mark that is
missing tells of a voice that goes on in synthetic speech, but not in recorded speech over noise: it counts nothing."""
_WORD, _FEWEST, _MOST, _USUAL = 0.1, 4, 12, 8
"""What each word of a sentence that misses nothing adds, from how many to how many they count, and how many add
nothing: the longer it is, the less is left to be said."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the end of a turn."""

    likely: float
    """Above 0 it sounds finished, below unfinished; as log-odds, so that evidence of the sound may be added."""
    why: str
    """For people."""
    counting: bool = False
    """Whether figures or letters are being told one by one: nothing but their pauses may be waited for less."""


def evidence(turn: SoFar) -> Evidence:
    """What the words of a turn, and the question before it, say of whether the caller is done."""
    said = words(turn.text)[-_LOOKED_AT:]
    cues = turn.cues
    asked = asked_for(turn.asked, turn.expected, cues.asked_for, cues.numbers)
    if not said:
        return Evidence(0.0, "nothing recognised yet")
    clauses = clauses_of(cues.grammar)
    number = read_number(said, cues.numbers, cues.grammar.fillers, cues.stops)
    found = (
        _digits(said, number, asked) if asked.wanted == "digits" else _number(said, number, asked, clauses)
    ) or _spelled(said, asked, cues)
    if found is None:
        mark = _closing(turn.text)
        found = _sentence(mark, said, number, asked, cues, clauses)
    if asked.wanted == "long" and not (found.likely > 1.5 or found.counting):
        return Evidence(found.likely - 1.2, f"a long answer is expected; {found.why}")
    return found


def _digits(said: list[str], number: Number, asked: Asked) -> Evidence | None:
    """A number is to be given, figure by figure."""
    figures = number.figures + number.before
    if not figures and not number.half:
        return None
    fewest, most = asked.figures or (1, 64)
    so_far = f"{figures} of {fewest if fewest == most else f'{fewest} to {most}'} digits"
    if number.half or figures < fewest:
        return Evidence(-3.0, f"half a number: {so_far}", True)
    if not number.groups:
        return None
    exact = most == fewest + 1 and fewest >= 9 and not _has_trunk(said[number.start])
    if figures >= most or (figures == fewest and exact):
        return Evidence(3.0, f"the number is complete: {so_far}")
    return Evidence(0.0, f"the number may be complete: {so_far}", True)


def _has_trunk(first: str) -> bool:
    return first in _TRUNKS or (len(first) > 1 and first[0] in "01")


def _number(said: list[str], number: Number, asked: Asked, clauses: Clauses) -> Evidence | None:
    """The words end with a number, and none of so many digits was asked for."""
    if number.half:
        return Evidence(-3.0, "half a number", True)
    if not number.groups:
        return None
    if number.counts:
        if number.figures >= 10:
            return Evidence(0.0, "the number may be complete", True)
        return Evidence(-3.0, "half a number", True)
    if asked.wanted == "number" and len(clauses.core(said[: number.start])) <= 3:
        return Evidence(2.0, "a number was asked for")
    if asked.wanted == "spelled":
        return Evidence(-1.5, "something spelled is going on", True)
    last = said[-1]
    if last.isdecimal() and len(last) > 2 and not (len(last) == 4 and last[:2] in ("19", "20")):
        return Evidence(-0.6, "the number may go on", True)
    before = said[: number.start]
    if before and (
        before[-1] in clauses.wanting or clauses.endless.ending(before) > 1 or before[-1] in clauses.joins_nouns
    ):
        return Evidence(-1.2, "a number without a noun")
    return None


def _spelled(said: list[str], asked: Asked, cues: Cues) -> Evidence | None:
    """The words end with letters, or with an e-mail address."""
    wanted = asked.wanted == "spelled"
    if mail := _mail(said, wanted, cues):
        return mail
    spelled = read_spelled(said, cues.numbers)
    count = len(spelled.letters)
    if not count or not (wanted or count > 2 or (count == 2 and spelled.start == 0) or spelled.half):
        return None
    if count == 1 and not wanted and not spelled.half:
        return None
    if not spelled.half and spelled.letters in said[: spelled.start]:
        return Evidence(2.0, "the name is spelled whole")
    return Evidence(-2.5, "a spelled word is going on", True)


def _mail(said: list[str], wanted: bool, cues: Cues) -> Evidence | None:
    last = said[-1]
    if "@" in last:
        whole = "." in last.partition("@")[2]
        return Evidence(2.0, "a whole e-mail address") if whole else Evidence(-2.0, "half an e-mail address", True)
    at, dot = phrases(cues.numbers.at), phrases(cues.numbers.dot)
    if at.all.isdisjoint(said):
        return None
    where = next((i for i in range(len(said) - 1, -1, -1) if said[i] in at.all), -1)
    if where < 0:
        return None
    dotted = "." in last and not last[0].isdecimal()
    dots = [i for i in range(where + 1, len(said)) if said[i] in dot.all]
    if dots or dotted:
        whole = dotted or 0 < len(said) - 1 - dots[-1] <= 2
        return Evidence(2.0, "a whole e-mail address") if whole else Evidence(-2.0, "half an e-mail address", True)
    return Evidence(-2.0, "half an e-mail address", True) if wanted and where > 0 else None


def _closing(text: str) -> str:
    """The mark at the end: one of ``. ! ? , …``, or none."""
    text = text.rstrip()
    if text.endswith(("...", "…", "-", "—", "–")):
        return "…"
    return text[-1:] if text.endswith((".", "!", "?", ",")) else ""


def _sentence(mark: str, said: list[str], number: Number, asked: Asked, cues: Cues, clauses: Clauses) -> Evidence:
    """Everything that is no number and no spelling."""
    core = clauses.core(said)
    if " ".join(core) in clauses.alone and mark not in (",", "…"):
        return Evidence(1.5, "whole by itself")
    if answer := _answer(said, core, asked, clauses):
        return answer if mark not in (",", "…") else Evidence(answer.likely - 2.0, "the recogniser hears it going on")
    if ending := _ending(said, core, number, asked, cues, clauses):
        return ending
    if asked.wanted == "date" and (date := _date(said, number, clauses)):
        return date
    if not core:
        return Evidence(0.0, "a few words before the matter")
    chosen = asked.wanted in ("short", "number") and clauses.choices.ending(core) > 0 and len(core) <= 6
    likely, why = (None if chosen else clauses.dangling(core)) or _whole(core, number, asked, clauses)
    if mark == "…":
        return Evidence(min(likely, 0.0) - 1.0, "the recogniser hears it going on")
    if mark in _MARKS:
        weight, words_for = _MARKS[mark]
        return Evidence(likely + weight, why + words_for)
    return Evidence(likely, why)


def _answer(said: list[str], core: list[str], asked: Asked, clauses: Clauses) -> Evidence | None:
    """A whole answer, whatever its last word is: "yes, I do"."""
    if asked.wanted == "nothing":
        agreed = 3 <= len(said) <= 6 and clauses.agrees(said) and _made_of(said, clauses)
        return Evidence(1.0, "a yes or a no to what was said") if agreed else None
    if len(said) <= 6 and _made_of(said, clauses):
        if asked.wanted == "yes or no":
            return Evidence(2.5, "a yes or a no")
        return Evidence(0.5, "a yes or a no to another question")
    if asked.wanted in ("short", "number", "yes or no") and clauses.choices.ending(core) == len(core) > 0:
        return Evidence(2.0, "one of the choices")
    return None


def _made_of(said: list[str], clauses: Clauses) -> bool:
    """Whether the words are nothing but answers, one after the other: "yes, that's right"."""
    at = 0
    while at < len(said):
        n = clauses.answers.at(said, at) or clauses.fillers.at(said, at) * (at + 1 < len(said))
        if not n:
            return False
        at += n
    return True


def _ending(
    said: list[str], core: list[str], number: Number, asked: Asked, cues: Cues, clauses: Clauses
) -> Evidence | None:
    """The last words alone tell it."""
    last = said[-1]
    if last in clauses.months:
        before = said[-2] if len(said) > 1 else ""
        if (
            before
            and before not in clauses.prepositions
            and not before[0].isdecimal()
            and before in clauses.determiners
        ):
            return Evidence(-1.0, "a month without its day")
        if before in clauses.prepositions or before[:1].isdecimal():
            return Evidence(1.0, "a month")
    finished = phrases(cues.finished).ending(said)
    fillers = clauses.fillers.ending(said)
    if fillers >= max(finished, 1):
        return Evidence(-2.5, f'hesitates: "{" ".join(said[-fillers:])}"')
    unfinished = max(phrases(cues.unfinished).ending(said), clauses.endless.ending(said))
    if finished > unfinished and finished == len(said) and asked.wanted == "nothing" and last in clauses.openers:
        return Evidence(0.0, "a few words before the matter")
    if finished > unfinished:
        return Evidence(2.2, f'ends with "{" ".join(said[-finished:])}"')
    if unfinished and not number.groups:
        if may := clauses.stranded(core):
            return Evidence(*may)
        return Evidence(-2.0, f'ends with "{" ".join(said[-unfinished:])}"')
    return None


def _date(said: list[str], number: Number, clauses: Clauses) -> Evidence | None:
    month = any(word in clauses.months for word in said)
    counted = bool(number.groups) or any(word[0].isdecimal() for word in said)
    if any(word in clauses.days for word in said) or (month and (counted or len(said) > 1)):
        return Evidence(1.5, "a date")
    return Evidence(-1.5, "half a date") if month or counted else None


def _whole(core: list[str], number: Number, asked: Asked, clauses: Clauses) -> tuple[float, str]:
    likely, why = clauses.judge(core)
    if likely > 1.0:
        likely += _WORD * (min(max(len(core), _FEWEST), _MOST) - _USUAL)
    if asked.wanted in ("short", "yes or no", "number", "date"):
        if len(number.groups) == 1 and len(core) == 1 and asked.wanted != "number":
            return 0.0, "a number alone"
        if likely <= 0 and len(core) <= 6 and (likely > -1.2 or clauses.joins(core)):
            return 1.2, "a short answer"
        return likely + 0.3, why
    return likely, why
