"""Every reason for which a row or a file is quarantined stands in docs/what-counts.md."""

import re

from lakes import PROJECT

TOLD = (PROJECT / "docs" / "what-counts.md").read_text()


def test_every_reason_of_a_row_is_told() -> None:
    sources = [*(PROJECT / "models").rglob("*_parsed.sql"), PROJECT / "macros" / "raw" / "parse_events.sql"]
    calls = [call for source in sources for call in re.findall(r"reasons\(\{(.*?)\}\)", source.read_text(), re.DOTALL)]
    reasons = {reason for call in calls for reason in re.findall(r"'(\w+)':", call)}
    assert len(reasons) > 15
    assert {reason for reason in reasons if f"`{reason}`" not in TOLD} == set()


def test_every_reason_of_a_file_is_told() -> None:
    source = (PROJECT / "src" / "datalake" / "inspect.py").read_text()
    reasons = set(re.findall(r'_Broken\(\s*"(\w+)"', source))
    assert len(reasons) > 8
    assert {reason for reason in reasons if f"`{reason}`" not in TOLD} == set()
