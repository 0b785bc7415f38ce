"""What the package itself costs: CPU time of ``import voiceloop`` in fresh processes, and the size of a core install.

The size is that of a fresh environment with nothing but the core (``--install``; it needs a package index).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMPORT = """
from resource import getrusage
before = getrusage(0)
import voiceloop{names}
after = getrusage(0)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""
NAMES = "; voiceloop.Pipeline; voiceloop.TurnTaking; voiceloop.LLMAggregator; voiceloop.AudioStreamer"


def import_seconds(names: str, runs: int) -> float:
    """Median CPU time of the import, seconds."""
    code = IMPORT.format(names=names)
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return statistics.median(times)


def install_megabytes() -> float:
    """Size of everything a core install brings, without pip itself."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        before = _size(Path(folder))
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
        return (_size(Path(folder)) - before) / 1e6


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="few runs")
    options.add_argument("--install", action="store_true", help="also install the core into a fresh environment")
    chosen = options.parse_args()
    runs = 3 if chosen.smoke else 15
    result: dict[str, Any] = {
        "import_cpu_seconds": round(import_seconds("", runs), 3),
        "import_and_use_cpu_seconds": round(import_seconds(NAMES, runs), 3),
    }
    if chosen.install:
        result["core_install_mb"] = round(install_megabytes(), 1)
    if chosen.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>28}: {value}")


if __name__ == "__main__":
    main()
