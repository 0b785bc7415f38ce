"""When workers are started, replaced, killed and given up: tables of what happens and what is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voiceloop.server.supervision import Do, Supervision, SupervisionOptions

OPTIONS = SupervisionOptions(
    tries=3, first_delay=0.5, longest_delay=4.0, steady=60.0, start_limit=100.0, beat_limit=20.0
)
Event = Callable[[Supervision, float], list[Do]]


def begin() -> Event:
    return lambda machine, now: machine.begin(now)


def ready(process: int) -> Event:
    return lambda machine, now: machine.is_ready(process, now)


def beat(process: int) -> Event:
    def happen(machine: Supervision, now: float) -> list[Do]:
        machine.has_beaten(process, now)
        return []

    return happen


def died(process: int, how: str = "by SIGKILL", *, told: bool = False) -> Event:
    return lambda machine, now: machine.has_ended(process, now, how, told=told)


def leaves(process: int) -> Event:
    return lambda machine, now: machine.wants_to_leave(process, now)


def roll() -> Event:
    return lambda machine, now: machine.roll(now)


def look() -> Event:
    return lambda machine, now: machine.look(now)


def stop() -> Event:
    def happen(machine: Supervision, now: float) -> list[Do]:
        machine.stop()
        return []

    return happen


def played(workers: int, *events: tuple[float, Event]) -> list[str]:
    """What is done, as ``time what slot/process``."""
    machine = Supervision(workers, OPTIONS)
    return [
        f"{now:g} {do.what} {do.slot}/{do.process}"
        for now, event in events
        for do in event(machine, now)
        if do.what != "tell"
    ]


STARTED = ((0.0, begin()), (1.0, ready(1)), (2.0, ready(2)))
"""Two workers at work since 2 s."""


def looks(first: int, last: int) -> list[tuple[float, Event]]:
    return [(float(second), look()) for second in range(first, last + 1)]


@pytest.mark.parametrize(
    ("events", "done"),
    [
        pytest.param([(0.0, begin())], ["0 start 1/1"], id="the first starts alone"),
        pytest.param(
            [(0.0, begin()), (1.0, ready(1))], ["0 start 1/1", "1 start 2/2"], id="the others when it is ready"
        ),
        pytest.param(
            [(0.0, begin()), (0.2, died(1, "with status 78", told=True))],
            ["0 start 1/1", "0.2 give up 1/1"],
            id="what has said why it cannot start is not tried again",
        ),
        pytest.param(
            [
                (0.0, begin()),
                (1.0, died(1)),
                (1.4, look()),
                (1.5, look()),
                (2.0, died(2)),
                (3.0, look()),
                (4.0, died(3)),
            ],
            ["0 start 1/1", "1.5 start 1/2", "3 start 1/3", "4 give up 1/3"],
            id="what dies at once is given up at the third time, each later than the one before",
        ),
        pytest.param(
            [*STARTED, (5.0, died(1))],
            ["0 start 1/1", "1 start 2/2", "5 start 1/3"],
            id="one that has worked is replaced at once",
        ),
        pytest.param(
            [*STARTED, (5.0, died(1)), (5.5, ready(3)), (6.0, died(3)), (6.9, look()), (7.0, look())],
            ["0 start 1/1", "1 start 2/2", "5 start 1/3", "7 start 1/4"],
            id="one that dies soon again has to wait",
        ),
        pytest.param(
            [*STARTED, (5.0, died(1)), (5.5, ready(3)), (66.0, died(3))],
            ["0 start 1/1", "1 start 2/2", "5 start 1/3", "66 start 1/4"],
            id="after a minute of work its first death is forgotten",
        ),
        pytest.param(
            [
                *STARTED,
                (3.0, died(1)),
                *[
                    step
                    for n, now in enumerate((4.0, 6.0, 11.0, 16.0, 21.0), 3)
                    for step in ((now, died(n, "with status 78", told=True)), (now + 3.9, look()), (now + 4.0, look()))
                ],
            ],
            [
                *("0 start 1/1", "1 start 2/2", "3 start 1/3"),
                *("7.9 start 1/4", "9.9 start 1/5", "15 start 1/6", "20 start 1/7", "25 start 1/8"),
            ],
            id="once any was ready it is tried for ever, every 4 s at most",
        ),
        pytest.param(
            [*STARTED, (3.0, stop()), (4.0, died(1)), (9.0, look())],
            ["0 start 1/1", "1 start 2/2"],
            id="nothing is started while it stops",
        ),
    ],
)
def test_starts_and_restarts(events: list[tuple[float, Event]], done: list[str]) -> None:
    assert played(2, *events) == done


@pytest.mark.parametrize(
    ("events", "done"),
    [
        pytest.param([*looks(3, 20)], [], id="a heart that is silent for less than the limit"),
        pytest.param([*looks(3, 20), (20.0, beat(1)), (20.0, beat(2)), *looks(21, 39)], [], id="one that goes on"),
        pytest.param(
            [*looks(3, 10), (10.0, beat(2)), *looks(11, 25)], ["21 kill 1/1"], id="one that stops is killed, once"
        ),
        pytest.param(
            [(100.0, look()), (101.0, beat(1)), (101.0, beat(2)), *looks(101, 110)],
            [],
            id="a machine that slept is no heart that stopped",
        ),
        pytest.param([(2.5, died(1)), *looks(3, 30)], ["22 kill 2/2"], id="who starts may take longer"),
        pytest.param(
            [(2.5, died(1)), *[step for n in range(3, 110) for step in ((float(n), beat(2)), (float(n), look()))]],
            ["103 kill 1/3"],
            id="but not for ever",
        ),
    ],
)
def test_hearts(events: list[tuple[float, Event]], done: list[str]) -> None:
    begun = len(played(2, *STARTED))
    assert [each for each in played(2, *STARTED, *events)[begun:] if "kill" in each] == done


@pytest.mark.parametrize(
    ("events", "done"),
    [
        pytest.param([(3.0, roll())], ["3 start 1/3"], id="a new one comes first"),
        pytest.param(
            [(3.0, roll()), (4.0, ready(3)), (5.0, ready(4)), (6.0, died(1)), (7.0, died(2))],
            ["3 start 1/3", "4 leave 1/1", "4 start 2/4", "5 leave 2/2"],
            id="one after the other, and the old ones are not replaced when they end",
        ),
        pytest.param(
            [(3.0, roll()), (4.0, died(3, "with status 78", told=True)), (9.0, look())],
            ["3 start 1/3"],
            id="a new one that cannot start ends it, and the old ones stay",
        ),
        pytest.param(
            [(3.0, roll()), (3.5, roll()), (4.0, ready(3)), (5.0, ready(4)), (6.0, ready(5))],
            ["3 start 1/3", "4 leave 1/1", "4 start 2/4", "5 leave 2/2", "5 start 1/5", "6 leave 1/3"],
            id="told again meanwhile, those that were replaced before are replaced again",
        ),
        pytest.param(
            [(3.0, roll()), (3.5, died(2)), (4.0, ready(3)), (5.0, ready(4))],
            ["3 start 1/3", "3.5 start 2/4", "4 leave 1/1"],
            id="one that died meanwhile is new anyway",
        ),
        pytest.param(
            [(3.0, roll()), (3.5, died(1)), (4.0, ready(3)), (5.0, ready(4))],
            ["3 start 1/3", "3.5 start 2/4", "5 leave 2/2"],
            id="the old one dies while its successor starts",
        ),
        pytest.param(
            [(3.0, leaves(2)), (4.0, ready(3))],
            ["3 start 2/3", "4 leave 2/2"],
            id="one that was told to end by another",
        ),
        pytest.param(
            [(3.0, leaves(2)), (3.1, leaves(2)), (3.2, leaves(1)), (4.0, ready(3)), (5.0, ready(4))],
            ["3 start 2/3", "4 leave 2/2", "4 start 1/4", "5 leave 1/1"],
            id="both, and one of them twice",
        ),
        pytest.param([(3.0, stop()), (3.5, roll()), (3.6, leaves(1))], [], id="not while it stops"),
    ],
)
def test_replacing(events: list[tuple[float, Event]], done: list[str]) -> None:
    begun = len(played(2, *STARTED))
    assert played(2, *STARTED, *events)[begun:] == done


def test_who_is_ready_and_who_is_alive() -> None:
    machine = Supervision(2, OPTIONS)
    counts = []
    for now, event in (*STARTED, (3.0, roll()), (4.0, ready(3)), (5.0, died(1)), (6.0, died(2))):
        event(machine, now)
        counts.append((machine.ready, machine.alive))
    assert counts == [(0, 1), (1, 2), (2, 2), (2, 3), (2, 4), (2, 3), (1, 2)]


def test_what_is_told() -> None:
    machine = Supervision(1, OPTIONS)
    machine.begin(0.0)
    assert [do.text for do in machine.has_ended(1, 1.0, "by SIGSEGV")] == [
        "it ended by SIGSEGV: another one is started in 0.5 s"
    ]
    machine.look(1.5)
    assert [do.text for do in machine.has_ended(2, 2.0, "with status 78", told=True)] == [
        "it cannot start: mend what it has told above"
    ]
