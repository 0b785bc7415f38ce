"""The arguments of ``voiceloop tune``."""

from __future__ import annotations

from typing import Any

__all__ = ["add_tune"]


def add_tune(commands: Any) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "tune",
        help="try the silences that end a turn on your own recordings: callers cut off against waiting time",
        description="Drives turn-taking over recordings in virtual time, with many settings and with fixed silences. "
        "Shows how often callers would have been cut off and how long they would have waited, and the TurnOptions to "
        "take. FOLDER holds WAV files with what is said in them (manifest.tsv with the columns file and transcript; "
        "or NAME.txt; or NAME.tsv with start, end and words of several turns), or flight recordings of calls (.vlog).",
    )
    parser.add_argument("folder", metavar="FOLDER", help="the recordings")
    parser.add_argument(
        "--recogniser",
        choices=("known", "moonshine", "recorded"),
        help="known: the transcripts, each word 0.1 s after it was spoken; moonshine: recognised on this machine "
        "(needs voiceloop[local]); recorded: what was recognised in a recorded call (default: recorded for calls, "
        "else known, or moonshine for what has no transcript)",
    )
    parser.add_argument(
        "--vad",
        choices=("silero", "energy"),
        help="the model of voice activity (default: silero where voiceloop[silero] is installed, else energy). "
        "Recorded calls keep what was noticed in them unless this is given",
    )
    parser.add_argument("--noise", type=float, metavar="DB", help="put noise under the speech, so many dB below it")
    parser.add_argument(
        "--join", action="store_true", help="join single utterances into calls, with pauses inside them drawn by chance"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what --join draws (default: 1)")
    parser.add_argument("--language", default="en", metavar="TAG", help="the callers' (default: en)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="what your bot is set to today, where it is not the default: finished, unsure or unfinished, in "
        "seconds; may be given several times",
    )
    parser.add_argument(
        "--out", default="tune.svg", metavar="FILE", help="where to write the picture, .svg or .png (default: tune.svg)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--verbose", action="store_true", help="log what happens inside")
