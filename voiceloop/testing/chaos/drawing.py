"""Draws the items of a plan. Each group has chance of its own, so that a new kind of item in one changes no other."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Final

from voiceloop.sim.line_faults import BY_KIND, Stall, draw_fault
from voiceloop.testing.chaos.bot_items import BotDoes, BotSpeaks
from voiceloop.testing.chaos.bystander import HANDLERS
from voiceloop.testing.chaos.caller_items import HangsUp, Hears, Hums, Interrupts, Murmurs, Presses, Says, StaysSilent
from voiceloop.testing.chaos.fault_items import CodeBreaks, LineBreaks, ProcessStalls, ProviderBreaks
from voiceloop.testing.chaos.items import Item
from voiceloop.testing.chaos.line_items import Hearing, Line, Voice
from voiceloop.testing.chaos.model_items import WRONG, Answers, Asks, Guesses
from voiceloop.testing.faulty import PROVIDER_FAULTS, HandlerFault, ToolFault

__all__ = ["draw"]

Making = Callable[[int], Item]
"""An item that has no number yet."""

LENGTH: Final = 12.0
"""Seconds of a call within which things are made to go wrong."""
REQUESTS: Final = 5
"""Requests to the model that items speak of."""
PATIENCE: Final = 8.0
"""Seconds the caller listens for an answer."""
_LINE_FAULTS: Final = tuple(kind for kind in BY_KIND if kind != Stall.kind)
_WAITING: Final = ("slow", "hang", "deaf")
"""What only an async handler can do."""
_ASYNC: Final = ("start", "stop", "on_user_turn", "on_digit", "on_text")


def draw(seed: int) -> tuple[Item, ...]:
    """The items of a seed, numbered from 0."""
    made = [
        making
        for group in (_line, _latency, _caller, _model, _bot, _faults)
        for making in group(random.Random(f"{group.__name__} {seed}"))
    ]
    numbers = count()
    return tuple(making(next(numbers)) for making in made)


def _seconds(draw: random.Random, least: float, most: float) -> float:
    return round(draw.uniform(least, most), 3)


def _line(draw: random.Random) -> list[Making]:
    if draw.random() < 0.35:
        return []
    way = draw.choice((0.0, 0.03, 0.06, 0.06, 0.125))
    back = way if draw.random() < 0.8 else _seconds(draw, 0.0, 0.3)
    jitter = draw.choice((0.0, 0.0, 0.0, 0.02, 0.06))
    seed = draw.randrange(1000) if jitter else 0
    first = draw.choice((0, 0, 0, 120, 2_000_020))
    return [partial(Line, to_server=way, from_server=back, jitter=jitter, seed=seed, first_timestamp=first)]


def _latency(draw: random.Random) -> list[Making]:
    made: list[Making] = []
    if draw.random() < 0.6:
        delay = draw.choice((0.0, 0.05, 0.2, 0.6, 1.2))
        interims = draw.choice((0.0, 0.2, 0.5))
        lag = draw.choice((0.0, 0.1, 0.4)) if interims else 0.0
        final = draw.choice((None, None, 0.0, 0.3))
        made.append(partial(Hearing, delay=delay, interims=interims, lag=lag, final=final))
    if draw.random() < 0.6:
        first = draw.choice((0.0, 0.05, 0.2, 0.8))
        speed = draw.choice((0.0, 0.0, 1.5, 4.0))
        chunk = draw.choice((0.0, 0.0, 0.1, 0.5))
        made.append(partial(Voice, first=first, speed=speed, chunk=chunk, timed=draw.random() < 0.9))
    return made


def _caller(draw: random.Random) -> list[Making]:
    made: list[Making] = []
    if draw.random() < 0.7:
        made.append(partial(Hears, patience=PATIENCE))
    for _ in range(draw.choice((1, 1, 2, 2, 3, 4))):
        made += _exchange(draw)
    end = draw.random()
    if end < 0.35:
        made.append(partial(Hears, patience=PATIENCE))
    elif end < 0.6:
        words, wait = draw.choice((0, 2, 4)), draw.choice((0.0, 0.0, _seconds(draw, 0.0, 4.0)))
        made.append(partial(HangsUp, wait=wait, words=words, after=_seconds(draw, 0.0, 1.2) if words else 0.0))
    elif end < 0.65:
        made.append(partial(StaysSilent, seconds=30.0))
    elif end < 0.85:
        made.append(partial(StaysSilent, seconds=_seconds(draw, 0.0, 6.0)))
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        murmur, after = draw.choice(("mhm", "yeah", "okay", "mhm okay", "wait")), _seconds(draw, 0.0, 1.5)
        made.insert(draw.randrange(len(made) + 1), partial(Murmurs, after=after, words=murmur, patience=PATIENCE))
    return made


def _exchange(draw: random.Random) -> list[Making]:
    words = draw.choice((1, 1, 2, 3, 5, 8))
    wait = draw.choice((0.0, 0.2, 0.5, 1.0, _seconds(draw, 0.0, 4.0)))
    what = draw.random()
    made: list[Making]
    if what < 0.6:
        made = [partial(Says, wait=wait, words=words)]
    elif what < 0.8:
        made = [partial(Interrupts, after=_seconds(draw, 0.0, 2.0), words=words, patience=PATIENCE)]
    elif what < 0.9:
        made = [partial(Hums, wait=wait, seconds=_seconds(draw, 0.02, 1.5), loud=draw.random() < 0.7)]
    else:
        made = [partial(Presses, wait=wait, keys=draw.choice(("1", "12", "*#0")))]
    if draw.random() < 0.3:  # goes on, within the pause of a word or after one
        pause = draw.choice((_seconds(draw, 0.01, 0.08), _seconds(draw, 0.25, 1.8)))
        made.append(partial(Says, wait=pause, words=draw.choice((1, 2, 4))))
    if draw.random() < 0.6:
        made.append(partial(Hears, patience=PATIENCE))
    return made


def _model(draw: random.Random) -> list[Making]:
    made: list[Making] = []
    for request in range(REQUESTS):
        if draw.random() < 0.85:
            words, sentence = draw.choice((1, 3, 6, 6, 12, 25)), draw.choice((0, 4, 6))
            first, rate = draw.choice((0.0, 0.0, 0.05, 0.3, 0.8, 2.0)), draw.choice((0.0, 0.0, 25.0, 8.0))
            made.append(partial(Answers, request=request, words=words, sentence=sentence, first=first, rate=rate))
        if draw.random() < 0.35:
            for _ in range(draw.choice((1, 1, 1, 2, 3))):
                leaving, wrong = draw.random() < 0.15, draw.choice(WRONG) if draw.random() < 0.2 else ""
                made.append(partial(Asks, request=request, pick=draw.randrange(8), leaving=leaving, wrong=wrong))
    if draw.random() < 0.5:
        made.append(Guesses)
    return made


def _bot(draw: random.Random) -> list[Making]:
    made: list[Making] = []
    if draw.random() < 0.75:
        return made
    for _ in range(draw.choice((1, 1, 2))):
        at = _seconds(draw, 0.0, LENGTH)
        if draw.random() < 0.7:
            how, words = draw.choice(("say", "say", "play", "queue")), draw.choice((1, 2, 4, 8))
            made.append(partial(BotSpeaks, at=at, how=how, words=words, interruptible=draw.random() < 0.7))
        else:
            what = draw.choice(("interrupt", "interrupt", "digits", "hang up", "end"))
            made.append(partial(BotDoes, at=at, what=what))
    return made


def _faults(draw: random.Random) -> list[Making]:
    """Half of the calls have none: what goes wrong excuses much, so most can be seen without."""
    made: list[Making] = []
    if draw.random() < 0.45:
        return made
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        of = draw.choice((_line_fault, _line_fault, _stall, _provider_fault, _provider_fault, _code_fault))
        made.append(of(draw))
    return made


def _line_fault(draw: random.Random) -> Making:
    return partial(LineBreaks, fault=draw_fault(draw, LENGTH, _LINE_FAULTS))


def _stall(draw: random.Random) -> Making:
    return partial(ProcessStalls, fault=Stall.draw(draw, LENGTH))


def _provider_fault(draw: random.Random) -> Making:
    return partial(ProviderBreaks, fault=draw.choice(PROVIDER_FAULTS).draw(draw, requests=3))


def _code_fault(draw: random.Random) -> Making:
    kind = draw.random()
    if kind < 0.35:
        return partial(CodeBreaks, fault=ToolFault.draw(draw, calls=2))
    if kind < 0.6:
        return partial(CodeBreaks, fault=HandlerFault.draw(draw))
    processor = draw.choice(sorted(HANDLERS))
    handler = draw.choice(HANDLERS[processor])
    what = draw.choice([what for what in HandlerFault.WHATS if handler in _ASYNC or what not in _WAITING])
    calls = 1 if handler in ("start", "stop") else 4
    fault = HandlerFault.draw(draw, processor=processor, handler=handler, calls=calls, what=what)
    return partial(CodeBreaks, fault=fault)
