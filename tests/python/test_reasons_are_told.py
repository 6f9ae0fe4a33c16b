"""Every reason for which a row or a file is quarantined stands in docs/what-counts.md."""

import reasons
from lakes import PROJECT

TOLD = (PROJECT / "docs" / "what-counts.md").read_text()


def test_every_reason_of_a_row_is_told() -> None:
    found = reasons.of_rows()
    assert len(found) > 15
    assert {reason for reason in found if f"`{reason}`" not in TOLD} == set()


def test_every_reason_of_a_file_is_told() -> None:
    found = reasons.of_files()
    assert len(found) > 8
    assert {reason for reason in found if f"`{reason}`" not in TOLD} == set()
