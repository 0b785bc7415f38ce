"""What is used up in one process is used up in the others, and nothing that fails harms a call."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voiceloop.server.claims import Claims, FileClaims

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")


def test_of_many_who_claim_at_once_one_gets_it(tmp_path: Path) -> None:
    claims = [FileClaims(tmp_path / "claims") for _ in range(8)]
    start = threading.Barrier(8)

    def claim(one: FileClaims) -> list[float | None]:
        start.wait()
        return [one.claim(f"token {number}", 100.0, 0.0) for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, claims))
    assert [[each[number] for each in got].count(None) for number in range(50)] == [1] * 50


def test_files_show_no_code_are_private_and_tell_until_when(tmp_path: Path) -> None:
    claims = FileClaims(tmp_path / "claims")
    assert claims.claim("../../token", 100.0, 0.0) is None
    assert claims.claim("../../token", 200.0, 1.0) == 100.0
    (file,) = (tmp_path / "claims").iterdir()
    assert "token" not in file.name
    assert file.read_bytes() == b""
    assert stat.S_IMODE((tmp_path / "claims").stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_old_files_are_swept_away(tmp_path: Path) -> None:
    claims = FileClaims(tmp_path)
    for number in range(10):
        assert claims.claim(f"token {number}", 100.0, 0.0) is None
    assert claims.claim("late", 300.0, 159.0) is None
    assert len(list(tmp_path.iterdir())) == 11
    assert claims.claim("later", 400.0, 221.0) is None
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_folder_that_cannot_be_used_harms_no_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    claims = Claims(lambda: 0.0, folder=tmp_path / "file" / "claims", warn=said.append)
    assert await claims.claim("token", 100.0)
    assert len(said) == 1
    assert said[0].startswith("the tokens of other workers are not known: NotADirectoryError")


class Store:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def claim_token(self, code: str, until: float) -> bool:
        self.hold.wait()
        self.asked.append(code)
        return self.asked.count(code) == 1


async def test_machines_share_a_store() -> None:
    store = Store()
    here, there = (Claims(lambda: 0.0, store=store) for _ in range(2))
    assert await here.claim("token", 100.0)
    assert not await there.claim("token", 100.0)


class Broken:
    asked = 0

    def claim_token(self, code: str, until: float) -> bool:
        self.asked += 1
        raise OSError("no route to postgres://me:hidden@db")


async def test_a_store_that_is_down_harms_no_call_and_is_left_alone_for_a_while(tmp_path: Path) -> None:
    said: list[str] = []
    store = Broken()
    claims = Claims(lambda: 0.0, folder=tmp_path, store=store, warn=said.append)
    assert [await claims.claim(code, 100.0) for code in ("a", "b", "a")] == [True, True, False]
    assert store.asked == 1
    assert said == ["the tokens of other machines are not known: OSError"], "and no password of the store's"
    await asyncio.sleep(10.1)
    assert await claims.claim("c", 100.0)
    assert store.asked == 2


@pytest.mark.realtime
async def test_a_store_that_hangs_is_waited_for_shortly_and_takes_two_threads_at_most() -> None:
    store = Store()
    store.hold.clear()
    said: list[str] = []
    claims = Claims(lambda: 0.0, store=store, warn=said.append, wait=0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        assert await asyncio.gather(*(claims.claim(str(number), 100.0) for number in range(20))) == [True] * 20
        assert loop.time() - began < 1.0
        assert set(said) == {"the tokens of other machines are not known: TimeoutError"}
    finally:
        store.hold.set()
    await asyncio.sleep(0.05)
    assert len(store.asked) == 2
