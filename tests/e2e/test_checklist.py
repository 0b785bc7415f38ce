"""The checklist for trying the bot by hand names the tests that do the same."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_truth_of_the_list_has_its_test_and_the_other_way_round() -> None:
    listed = re.findall(r"`(test_\d\w+)`", (HERE.parent / "test_e2e_tts.md").read_text(encoding="utf-8"))
    written = re.findall(r"^async def (test_\d\w+)\(", (HERE / "test_truths.py").read_text(encoding="utf-8"), re.M)
    assert len(listed) == 8
    assert set(listed) <= set(written)
    assert {name[5] for name in written} == {name[5] for name in listed}
