"""The pytest plugin as its users have it: test files in a folder of their own, run by pytest in another process."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as xml
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.warm import python

LIMIT = 60.0
SHOP = """
from voiceloop import AudioStreamer, EnergyVAD, FixedSilence, LLMAggregator, Pipeline, TurnTaking
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

def bot(call):
    ears = [call.transport, EnergyVAD(), ScriptedSTT(Lexicon()), TurnTaking("Hi!", endpointing=FixedSilence())]
    return Pipeline([*ears, LLMAggregator(script("Okay.")), ScriptedTTS(Lexicon()), AudioStreamer()])
"""
GOOD = """
import asyncio
from shop import bot

async def test_good(dial):
    async with dial(bot) as caller:
        await caller.hears("Hi!")
        virtual = getattr(asyncio.get_running_loop(), "virtual_time", False)
        print("virtual" if virtual else "real", caller.carrier._wire._url)
"""
BAD = """
from shop import bot

async def test_bad(dial):
    async with dial(bot) as caller:
        await caller.hears("Hi!")
        await caller.says("Two teas")
        await caller.hears("Certainly")
"""
TAKING = """
import pytest

class Other(pytest.Function):  # as other plugins for coroutines have one
    def runtest(self):
        raise AssertionError("run by another plugin")

@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector, name, obj):
    made = yield
    if name != "test_taken":
        return made
    return [Other.from_parent(each.parent, name=each.name, callobj=each.obj) for each in made]
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run("-q", test_it=BAD)``: pytest in a folder with the bot and these modules."""

    def pytest_run(*options: str, **modules: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "shop.py").write_text(SHOP)
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
        given = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-W", "error"]
        if not any(entry.name == "voiceloop" for entry in entry_points(group="pytest11")):
            given += ["-p", "voiceloop.testing.plugin"]  # run from a checkout that is not installed
        environment = os.environ | {"COLUMNS": "110"}
        environment.pop("PYTEST_ADDOPTS", None)
        return python("pytest", *given, *options, cwd=tmp_path, env=environment, timeout=LIMIT)

    return pytest_run


def test_a_failing_test_prints_its_call_and_leaves_files_and_other_tests_leave_nothing(
    run: Run, tmp_path: Path
) -> None:
    others = """
import pytest

def test_plain():
    assert True

async def test_own():
    assert True

@pytest.mark.xfail
async def test_expected(dial):
    from shop import bot
    async with dial(bot) as caller:
        await caller.hears("Certainly")
"""
    taken = GOOD.replace("test_good", "test_taken")
    done = run(
        "--strict-markers", "-W", "default", conftest=TAKING, test_it=GOOD + BAD, test_others=others, test_z=taken
    )
    said = done.stdout
    assert "2 failed, 3 passed, 1 xfailed" in said
    assert "async def functions are not natively supported" in said  # those that do not dial are not ours
    assert "expected to hear 'Certainly', heard 'Okay.'" in said
    assert said.count("- voiceloop: call -") == 1
    table = said[said.index("- voiceloop: call -") :]
    assert re.search(r"\n  0\.00 +Hi!\n", table)
    assert re.search(r"\n  0\.98  Two teas\n", table)
    assert re.search(r"\n  \d\.\d\d +Okay\. +waited 0\.50 s: endpoint 0\.50\n", table)
    assert re.search(r"\n  \d\.\d\d +THE TEST FAILED HERE\n", table)
    picture = re.search(r"^picture: (\S+)$", table, re.MULTILINE)
    assert picture is not None
    assert picture[1] == ".voiceloop/test_it.py-test_bad/call-1.html"
    assert "Two teas" in (tmp_path / picture[1]).read_text()
    assert sorted(path.name for path in (tmp_path / ".voiceloop").iterdir()) == [".gitignore", "test_it.py-test_bad"]


@pytest.mark.long
def test_workers_report_the_same_into_a_folder_of_choice_and_junit_stays_well_formed(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    waiting = "import asyncio; await asyncio.get_running_loop().create_future()"
    hung = BAD.replace("test_bad", "test_hung").replace('await caller.hears("Certainly")', waiting)
    options = ["-n", "2", "--junitxml", "junit.xml", "--voiceloop-artifacts", "left/here"]
    done = run(*options, test_it=BAD, test_hung=hung)
    assert "2 failed" in done.stdout
    assert "Deadlock: nothing can wake this loop" in done.stdout
    assert done.stdout.count("THE TEST FAILED HERE") == 2
    assert len(re.findall(r"\n  0\.98  Two teas\n", done.stdout)) == 2
    for name in ("test_it.py-test_bad", "test_hung.py-test_hung"):
        assert f"picture: left/here/{name}/call-1.html" in done.stdout
        assert (tmp_path / "left" / "here" / name / "call-1.jsonl").exists()
    assert not (tmp_path / ".voiceloop").exists()
    (suite,) = xml.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "2", "0")


@pytest.mark.long
def test_on_demand_the_same_test_runs_on_the_wall_clock_over_loopback(run: Run) -> None:
    marked = GOOD.replace(
        "async def test_good", "import pytest\n\n@pytest.mark.voiceloop_realtime\nasync def test_marked"
    )
    task = "task = asyncio.create_task(asyncio.sleep(100), name='mine')"
    leaving = GOOD.replace("        virtual =", f"        {task}\n        virtual =").replace(
        "test_good", "test_leaving"
    )
    for options, clocks in ((["--strict-markers"], ["virtual", "real"]), (["--voiceloop-realtime"], ["real", "real"])):
        done = run("-rA", *options, test_good=GOOD, test_marked=marked, test_zleaving=leaving)
        assert "1 failed, 2 passed" in done.stdout
        assert re.findall(r"^(real|virtual) http", done.stdout, re.MULTILINE)[-2:] == clocks
        assert re.search(r"^real http://127\.0\.0\.1:\d+/media$", done.stdout, re.MULTILINE)
        assert "LeftBehind: left behind:" in done.stdout
        assert "'mine' (sleep)" in done.stdout


def test_the_options_are_explained(run: Run) -> None:
    said = " ".join(run("--help").stdout.split())
    assert "--voiceloop-realtime run the tests that dial a bot on the wall clock" in said
    assert "--voiceloop-artifacts=DIR where failing tests leave pictures and logs of their calls" in said


WRONG = """
from shop import bot
from voiceloop.testing import dial

async def test_imported():
    async with dial(bot) as caller:
        await caller.hears("Hi!")

def test_sync():
    with dial(bot) as caller:
        caller.hears("Hi!")

def test_not_entered():
    dial(bot)
"""


def test_a_test_that_dials_in_the_wrong_way_is_told_the_right_one(run: Run) -> None:
    said = run("-W", "default", test_wrong=WRONG, test_own="async def test_own():\n    pass\n").stdout
    assert "voiceloop: take the fixture: async def test_x(dial): …, and do not import dial\n" in said
    assert said.count("async def functions are not natively supported") <= 2  # of the one that is not ours
    assert "E       TypeError: dial is asynchronous: async def test_x(dial): async with dial(bot) as caller:" in said
    assert "\nvoiceloop: a call was made and never began: async def test_x(dial): async with dial(bot)" in said
    assert "During handling" not in said
    assert re.search(r"^=+ 4 failed|^=+ 3 failed, 1 skipped", said, re.MULTILINE)


def test_other_plugins_run_their_coroutines_also_where_voiceloop_is_imported(run: Run) -> None:
    runner = """
import asyncio, inspect, pytest

@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj) and not pyfuncitem.fixturenames:
        asyncio.run(pyfuncitem.obj())
        return True
"""
    said = run(
        conftest=runner, test_it="from voiceloop.testing import script\n\nasync def test_own():\n    pass\n"
    ).stdout
    assert "1 passed" in said


def test_a_test_that_passes_again_takes_away_what_its_failure_left(run: Run, tmp_path: Path) -> None:
    run(test_it=BAD)
    left = tmp_path / ".voiceloop" / "test_it.py-test_bad"
    assert (left / "call-1.txt").exists()
    run(test_it=BAD.replace("Certainly", "Okay"))
    assert not left.exists()
