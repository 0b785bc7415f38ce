"""Five minutes of conversation through the talk page: a real Chromium, recorded people as its microphone.

The page measures each wait by the clock of its sound card, from the last sound of the caller to the first sound of the
answer, loudspeaker included. The library reports the same wait from its end of the line. Compared are the two, and the
first turns with the last: nothing may drift.

Needs ``voiceloop[local]``, Chromium, ``pip install playwright``, and recordings (``--speech``, or ``../shared/speech``
beside the checkout; of kind ``order`` in its ``manifest.tsv``).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voiceloop.audio.wav import read_wav, write_wav
from voiceloop.cli.load import example

RATE = 48000
PAUSE = 7.5
"""Seconds between two things the caller says: an answer fits in."""
FIXED = """
from voiceloop import AudioStreamer, LLMAggregator, Pipeline, SileroVAD, TurnTaking
from voiceloop.stt.moonshine import Moonshine
from voiceloop.testing import script
from voiceloop.tts.hibari import Hibari

stt, llm, tts = Moonshine(), script("All right, that is one for you.", first=0.2, rate=50), Hibari()

def bot(call):
    ears = [call.transport, SileroVAD(), stt, TurnTaking("Corner Coffee, hi!")]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])
"""
"""The bot of ``--fixed``: its model always takes the same time, so that latencies can be compared."""


def trimmed(file: Path) -> npt.NDArray[Any]:
    """A recording without the silence around the words, at the rate of a sound card."""
    recording = read_wav(file)
    block = recording.rate // 50
    samples = recording.samples
    levels = np.sqrt((samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1))
    loud = np.flatnonzero(levels > levels.max() / 50)
    samples = samples[max(0, loud[0] - 3) * block : (loud[-1] + 6) * block]
    places = np.arange(int(len(samples) * RATE / recording.rate)) * recording.rate / RATE
    return np.asarray(np.interp(places, np.arange(len(samples)), samples))


def microphone(folder: Path, path: Path, most: int) -> tuple[Path, int]:
    """The recording that Chromium plays in a loop as its microphone, and how many utterances it holds."""
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "order"][:most]
    silence = np.zeros(round(PAUSE * RATE))
    parts = [part for row in rows for part in (silence[: 4 * RATE], trimmed(folder / row["file"]), silence[4 * RATE :])]
    write_wav(path, np.round(np.concatenate(parts) * 32767).astype(np.int16), RATE)
    return path, len(rows)


def cpu_seconds(root: int) -> float:
    """CPU time of a process and all below it, so far."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        total += used.get(pid, 0.0)
        todo += children.get(pid, [])
    return total


class Conversation:
    """One call through the page."""

    def __init__(self, page: Any, server: int) -> None:
        self.page = page
        self._server = server
        self._responses: list[Any] = []
        self.complaints: list[str] = []
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self._said("error", str(error)))
        page.on("response", lambda response: self._responses.append(response))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def weight(self) -> int:
        """Bytes of the page and all its files."""
        self.page.wait_for_timeout(200)
        kept = [
            answer for answer in self._responses if answer.url.rpartition("/")[2] != "state" and "?" not in answer.url
        ]
        return sum(len(answer.body()) for answer in kept if answer.ok and answer.request.resource_type != "websocket")

    def until(self, expression: str, limit: float) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + limit
        while not self.page.evaluate(expression):
            if time.monotonic() > end:
                sys.exit(f"{expression} is still false after {limit:g} s; the page: {self.page.inner_text('body')}")
            self.page.wait_for_timeout(50)

    def talk(self, seconds: float) -> dict[str, Any]:
        """Call, listen for so long, hang up."""
        self.page.click("#call")
        self.until("voiceloop.state === 'incall'", 20)
        self.page.wait_for_timeout(2000)
        clock = self.page.evaluate("performance.now() / 1000 - voiceloop.call.context.currentTime")
        began, cpu, own = time.monotonic(), cpu_seconds(self._server), cpu_seconds(os.getpid())
        self.page.wait_for_timeout(seconds * 1000)
        wall = time.monotonic() - began
        server_cpu = cpu_seconds(self._server) - cpu
        all_cpu = cpu_seconds(os.getpid()) - own
        drift = self.page.evaluate("performance.now() / 1000 - voiceloop.call.context.currentTime") - clock
        turns = self.page.evaluate("voiceloop.turns")
        latency = self.page.evaluate("voiceloop.call.latency")
        self.page.click("#call")
        self.until("voiceloop.state === 'ended'", 10)
        return {
            "seconds": round(wall, 1),
            "server_cpu_percent": round(100 * server_cpu / wall, 1),
            "browser_cpu_percent": round(100 * (all_cpu - server_cpu) / wall, 1),
            "sound_card_lost_ms": round(drift * 1000, 1),
            "loudspeaker_ms": round(latency * 1000, 1),
            "turns": turns,
        }


def summary(result: dict[str, Any], utterances: int) -> dict[str, Any]:
    """The figures."""
    turns = [turn for turn in result.pop("turns") if turn["latency_ms"] and turn["measured_ms"] is not None]
    rows = [
        {
            "reported_ms": turn["latency_ms"]["total"],
            "measured_ms": turn["measured_ms"],
            "difference_ms": round(turn["measured_ms"] - turn["latency_ms"]["total"], 1),
            "carrier_ms": turn["latency_ms"]["carrier"],
            "caller": turn["caller"],
        }
        for turn in turns
    ]
    differences = [row["difference_ms"] for row in rows]
    if len(rows) < 2:
        sys.exit(f"expected at least two turns with an answer, got {len(rows)}")
    return {
        **result,
        "turns": len(rows),
        "difference_ms_median": round(statistics.median(map(abs, differences)), 1),
        "difference_ms_worst": max(map(abs, differences)),
        "difference_ms_last_less_first": round(differences[-1] - differences[0], 1),
        "carrier_ms_first": rows[0]["carrier_ms"],
        "carrier_ms_last": rows[-1]["carrier_ms"],
        "reported_ms_last_less_first": round(rows[-1]["reported_ms"] - rows[0]["reported_ms"], 1),
        "measured_ms_last_less_first": round(rows[-1]["measured_ms"] - rows[0]["measured_ms"], 1),
        "utterances_in_the_loop": utterances,
        "rows": rows,
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Start the server and the browser, and have the conversation."""
    from playwright.sync_api import sync_playwright

    wav, utterances = microphone(options.speech, folder / "microphone.wav", 1 if options.fixed else 8)
    bot: Path = example("coffee_bot.py")
    if options.fixed:
        bot = folder / "fixed.py"
        bot.write_text(FIXED)
    command = [sys.executable, "-m", "voiceloop.cli.main", "talk", str(bot), "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--use-fake-ui-for-media-stream"]
        arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={wav}"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, headless=True, args=arguments)
            conversation = Conversation(browser.new_page(), server.pid)
            conversation.page.goto(url)
            conversation.until("voiceloop.state === 'ready'", 120)
            conversation.page.evaluate("fetch('worklet.js').then((answer) => answer.text())")
            weight = conversation.weight()
            result = summary(conversation.talk(30 if options.smoke else 60 * options.minutes), utterances)
            browser.close()
        return {**result, "page_bytes": weight, "console_complaints": conversation.complaints}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="half a minute")
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--fixed", action="store_true", help="one utterance again and again, a model of fixed speed")
    options.add_argument("--speech", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "speech")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    options.add_argument("--chromium", default=found, help="the browser (default: from the path)")
    chosen = options.parse_args()
    if chosen.chromium is None:
        sys.exit("no Chromium: apt-get install chromium, or name one with --chromium")
    if not (chosen.speech / "manifest.tsv").is_file():
        sys.exit(f"no recordings: expected {chosen.speech}/manifest.tsv; name their folder with --speech")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(chosen, Path(folder))
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        if name == "rows":
            print("  reported measured difference carrier  caller said")
            for row in value:
                times = (row["reported_ms"], row["measured_ms"], row["difference_ms"], row["carrier_ms"])
                print("  " + " ".join(f"{time:8.1f}" for time in times) + f"  {row['caller'][:60]}")
        else:
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
