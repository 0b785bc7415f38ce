"""The arguments of ``voiceloop inspect``."""

from __future__ import annotations

from typing import Any

__all__ = ["add_inspect"]


def add_inspect(commands: Any) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "inspect",
        help="show a recorded call: what was said and heard, each wait, and why a turn was slow or cut",
        description="Shows a call from its flight recording alone: no bot is needed, and nothing is driven again. "
        "Prints the transcript as it was heard, what each wait was made of, what went wrong, and in words why; makes "
        "a picture of it.",
    )
    parser.add_argument("file", metavar="FILE", help="a flight recording (.vlog)")
    parser.add_argument(
        "--picture", metavar="FILE", help="where to write the picture, .html or .png (default: beside the recording)"
    )
    parser.add_argument("--audio", metavar="FILE", help="write both voices, too: WAV, the caller left, the agent right")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--verbose", action="store_true", help="log what happens inside")
