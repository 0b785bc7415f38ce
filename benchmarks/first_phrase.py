"""When the first phrase of an answer goes to the voice, whether the voice then runs dry, and whether joints are heard.

Needs ``voiceloop[local]``. Three parts, on the answers in ``answers.txt``, three sets of 50. The rules for where a
phrase ends were worked out on the first and changed once after the second was measured; the third came after them:

* early: an answer comes in tokens of a real tokenizer (SmolLM2's), 50 a second; its end 20 ms after the last. From the
  first token to the moment at which the first phrase is certain;
* dry: the voice speaks while the model writes: does it have to wait for text inside an answer?
* joints: where a clause was divided, the speech is compared with the same sentence spoken in one go.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import statistics
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from joint_audio import Bounds, Place, differences, place  # type: ignore[import-not-found, unused-ignore]
from models import word_errors, words_of  # type: ignore[import-not-found, unused-ignore]

from voiceloop.errors import require
from voiceloop.stt.base import Flush
from voiceloop.stt.moonshine import Moonshine
from voiceloop.text import Reader, Rules, reading_for
from voiceloop.tts.base import Speech
from voiceloop.tts.hibari import Hibari, HibariOptions
from voiceloop.tts.hibari_model import HibariModel, Voice
from voiceloop.tts.phrases import PhraseCutter, PhraseRules
from voiceloop.weights import SMOLLM2_135M, fetch

RATE = 8000
PACES = (50, 20, 10)
"""Tokens a second at which the model writes while the voice speaks."""
LIMIT = 0.12
"""Seconds from the first token to the first phrase."""
SYNTHESIS = 0.03
"""Seconds that one phrase takes on a busy core (`models.py`: 0.025 at the median)."""
PUNCTUATION = PhraseRules(first_least=4, soft=False)
"""The rules without joints: the first two phrases end at punctuation."""
WHOLE = PhraseRules(first_least=10**6, second_least=10**6, first_most=240, soft=False)
"""Sentences only."""

Texts = list[list[str]]


class Separate:
    """A voice that says each part as if it were a sentence of its own: what joints would sound like without care."""

    def __init__(self, model: HibariModel) -> None:
        self._model = model

    def speak(self, text: str, *, before: str = "", after: str = "") -> Voice:
        return self._model.speak(text)


# --- text ---------------------------------------------------------------------------------------------------


def answers() -> list[list[str]]:
    """The sets of answers, without comments."""
    sets: list[list[str]] = []
    for line in (Path(__file__).parent / "answers.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# set"):
            sets.append([])
        elif line and not line.startswith("#"):
            sets[-1].append(line)
    return sets


class Tokenizer:
    """The tokens in which SmolLM2 would write a text."""

    def __init__(self) -> None:
        llama = require("xllamacpp", "local", "this benchmark")
        parameters = llama.CommonParams()
        parameters.model.path = str(next(iter(fetch(SMOLLM2_135M).values())))
        parameters.n_ctx = 256
        parameters.warmup = parameters.fit_params = False
        parameters.verbosity = -1
        parameters.hostnames, parameters.port = ["127.0.0.1"], 0
        self._key = secrets.token_urlsafe(24)
        parameters.api_keys = [self._key]
        self._server = llama.Server(parameters)

    def __call__(self, text: str) -> list[str]:
        request = urllib.request.Request(
            self._server.listening_address + "/tokenize",
            data=json.dumps({"content": text, "with_pieces": True}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return [token["piece"] for token in json.load(response)["tokens"]]


def rewritten(tokens: Sequence[str]) -> list[str]:
    """What comes out of `SpokenText` for each token, and at the end of the text."""
    reader = Reader(Rules(reading_for("en")))
    pieces = [*(reader.feed(token) for token in tokens), reader.close()]
    return ["".join(piece.spoken for piece in some) for some in pieces]


def phrases(tokens: Sequence[str], rules: PhraseRules) -> list[tuple[int, str, str]]:
    """Phrases, each with the number of the token that made it certain (the end of the text is one more), and what
    follows it at a joint."""
    cutter = PhraseCutter(rules)
    found = [(at, phrase.text, phrase.following) for at, token in enumerate(tokens) for phrase in cutter.feed(token)]
    rest = cutter.close()
    return [*found, (len(tokens), rest.text, "")] if rest.text.strip() else found


# --- early --------------------------------------------------------------------------------------------------


def early(texts: Texts, rules: PhraseRules) -> dict[str, Any]:
    """How soon the first phrase is certain at 50 tokens a second, milliseconds after the first token."""
    waits = sorted(20 * phrases(tokens, rules)[0][0] for tokens in texts)
    return {
        "answers": len(texts),
        "ms_p50": statistics.median(waits),
        "ms_p80": waits[len(waits) * 4 // 5 - 1],
        "ms_max": waits[-1],
        "share_in_120_ms": sum(wait <= LIMIT * 1000 for wait in waits) / len(waits),
    }


# --- dry ----------------------------------------------------------------------------------------------------


def longest_wait(tokens: Sequence[str], speech: Sequence[Speech], rules: PhraseRules, rate: float) -> float:
    """Seconds by which the worst phrase after the first comes too late, at `rate` tokens a second.

    `speech`: one for each phrase, the silence before it included.
    """
    ready = end = worst = 0.0
    for number, ((at, _, _), piece) in enumerate(zip(phrases(tokens, rules), speech, strict=True)):
        ready = max(ready, at / rate) + SYNTHESIS
        if number:
            worst = max(worst, ready - end)
        end = max(end, ready) + len(piece.audio) / RATE
    return worst


def by_phrase(pieces: Sequence[Speech]) -> list[Speech]:
    """One for each phrase: `Hibari` gives the silence after the first phrase by itself."""
    merged: list[Speech] = []
    for piece in pieces:
        if merged and not piece.words:
            merged[-1] = Speech(merged[-1].audio + piece.audio, merged[-1].words)
        else:
            merged.append(piece)
    return merged


# --- joints -------------------------------------------------------------------------------------------------


async def spoken(tts: Hibari, tokens: Sequence[str]) -> list[Speech]:
    """An answer, one item for each phrase."""

    async def text() -> AsyncIterator[str]:
        for token in tokens:
            yield token

    return by_phrase([piece async for piece in tts.generate(text())])


def together(pieces: Sequence[Speech]) -> Speech:
    return Speech(b"".join(piece.audio for piece in pieces), tuple(word for piece in pieces for word in piece.words))


async def heard(stt: Moonshine, audio: bytes) -> list[str]:
    """The words the recogniser understands."""

    async def whole() -> AsyncIterator[bytes | Flush]:
        yield audio

    texts = [item.text async for item in stt.transcribe(whole()) if not isinstance(item, Flush)]
    return words_of(" ".join(texts))


async def joints(texts: Texts, model: HibariModel, stt: Moonshine, bounds: Bounds) -> dict[str, Any]:
    """Each place where a clause was divided, beside the same place of the sentence in one go; words understood."""
    voices = {
        "joined": Hibari(model=model),
        "separate": Hibari(model=Separate(model)),  # type: ignore[arg-type]
        "whole": Hibari(HibariOptions(phrases=WHOLE), model=model),
    }
    rows: list[dict[str, Any]] = []
    errors = dict.fromkeys((*voices, "joined beside whole"), 0)
    words = within = apart = 0
    for tokens in texts:
        speech = {name: together(await spoken(voice, tokens)) for name, voice in voices.items()}
        understood = {name: await heard(stt, each.audio) for name, each in speech.items()}
        reference = words_of("".join(tokens))
        words += len(reference)
        for name in voices:
            errors[name] += word_errors(reference, understood[name])
        errors["joined beside whole"] += word_errors(understood["whole"], understood["joined"])
        before = 0
        for _, text, following in phrases(tokens, PhraseRules()):
            before += len(text.split())
            if not following:
                continue
            found: dict[str, Place] = {name: place(each, before) for name, each in speech.items()}
            differ = differences(found["joined"], found["whole"])
            bad = bounds.broken(differ)
            within += not bad
            apart += not bounds.broken(differences(found["separate"], found["whole"]))
            rows.append({"before": text.strip(), "following": following, "differs": differ, "broken": bad})
    return {
        "joints": len(rows),
        "within_bounds": within,
        "within_bounds_if_spoken_separately": apart,
        "wer_percent": {name: round(100 * count / words, 2) for name, count in errors.items()},
        "rows": rows,
    }


async def dry(texts: Texts, model: HibariModel) -> dict[str, Any]:
    """Answers in which the voice must wait for text, by rules and pace."""
    result: dict[str, Any] = {}
    for name, rules in (("joints", PhraseRules()), ("punctuation", PUNCTUATION)):
        voice = Hibari(HibariOptions(phrases=rules), model=model)
        speech = [await spoken(voice, tokens) for tokens in texts]
        for pace in PACES:
            waits = [longest_wait(*pair, rules, pace) for pair in zip(texts, speech, strict=True)]
            result[f"{name}, {pace} tokens/s"] = {
                "answers_with_a_hole": sum(wait > 0.02 for wait in waits),
                "longest_ms": max(0, round(1000 * max(waits))),
            }
        result[f"{name}, length of the first phrase, s"] = {
            "least": round(min(len(one[0].audio) / RATE for one in speech), 2),
            "p50": round(statistics.median(len(one[0].audio) / RATE for one in speech), 2),
        }
    return result


async def measure(sets: list[Texts], parts: Sequence[str]) -> dict[str, Any]:
    """Everything, for each set of answers."""
    result: dict[str, Any] = {}
    model, stt = HibariModel("heart", 1.0), Moonshine()
    for number, texts in enumerate(sets, 1):
        figures: dict[str, Any] = {}
        if "early" in parts:
            figures["early"] = {"joints": early(texts, PhraseRules()), "punctuation": early(texts, PUNCTUATION)}
        if "dry" in parts:
            figures["dry"] = await dry(texts, model)
        if "joints" in parts:
            figures["joints"] = await joints(texts, model, stt, Bounds())
        result[f"set {number}"] = figures
    return result


def show(name: str, value: Any, indent: int = 0) -> None:
    """A figure a line; a joint a line."""
    if isinstance(value, dict) and any(isinstance(inner, dict | list) for inner in value.values()):
        print("  " * indent + name)
        for inner in value.items():
            show(*inner, indent + 1)
    elif name == "rows":
        for row in value:
            print(f"{'  ' * indent}{row['before']} | {row['following']}  {row['differs']}  {' '.join(row['broken'])}")
    else:
        text = "  ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else value
        print(f"{'  ' * indent}{name}: {text}")


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--smoke", action="store_true", help="four answers of each set")
    options.add_argument("--parts", nargs="+", default=["early", "dry", "joints"])
    options.add_argument(
        "--rewritten", action="store_true", help="send the text through `SpokenText` first (needs [text])"
    )
    chosen = options.parse_args()
    tokenizer = Tokenizer()
    texts = [[tokenizer(answer) for answer in one[: 4 if chosen.smoke else None]] for one in answers()]
    if chosen.rewritten:
        texts = [[rewritten(tokens) for tokens in one] for one in texts]
    result = asyncio.run(measure(texts, chosen.parts))
    if chosen.json:
        print(json.dumps(result))
        return
    for figures in result.items():
        show(*figures)


if __name__ == "__main__":
    main()
