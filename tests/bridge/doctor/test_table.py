"""The report as a person sees it: columns that fit, every word still there."""

import pytest

from hashcenter_bridge.doctor import table
from hashcenter_bridge.finding import Finding

LONG = "off: each look wakes it; `sudo systemctl enable --now nvidia-persistenced` ends that. " * 3
FINDINGS = [
    Finding("broker", "ok", "speaks MQTT 5"),
    Finding("persistence mode of RTX 3090 (0000:01:00.0)", "warning", LONG),
    Finding("configuration", "failed", "line 3"),
]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_fits_and_leaves_nothing_out(width: int) -> None:
    rows = table.table(FINDINGS, width)
    assert all(len(row) <= max(width, 80) for row in rows)
    words = " ".join(rows).split()
    for one in FINDINGS:
        assert all(word in words for word in one.text.split())
    assert [row[:7] for row in rows if row[:1].strip()][:3] == ["ok     ", "warning", "FAILED "]
    assert rows[-1] == "1 failed, 1 to look at, 1 in order."


def test_a_rig_in_order_is_said_in_a_sentence() -> None:
    assert table.table(FINDINGS[:1], 80)[-1] == "All 1 are in order."


def test_for_a_program_each_finding_is_a_line() -> None:
    assert table.lines(FINDINGS)[0] == "ok       broker: speaks MQTT 5"
    assert len(table.lines(FINDINGS)) == 3
