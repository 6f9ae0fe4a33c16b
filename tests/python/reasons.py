"""Every reason for which a row or a file is quarantined, as the code has it."""

import re

from lakes import PROJECT


def of_rows() -> set[str]:
    """Return the reasons of rows, from the models."""
    sources = [*(PROJECT / "models").rglob("*_parsed.sql"), PROJECT / "macros" / "raw" / "parse_events.sql"]
    calls = [call for source in sources for call in re.findall(r"reasons\(\{(.*?)\}\)", source.read_text(), re.DOTALL)]
    return {reason for call in calls for reason in re.findall(r"'(\w+)':", call)}


def of_files() -> set[str]:
    """Return the reasons of whole files, from the check."""
    return set(re.findall(r'_Broken\(\s*"(\w+)"', (PROJECT / "src" / "datalake" / "inspect.py").read_text()))
