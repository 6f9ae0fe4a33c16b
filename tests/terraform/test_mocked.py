"""The whole stack is made on a mocked provider, each switch both ways, and refuses what would do harm."""

from __future__ import annotations

from pathlib import Path

from terraform_cli import Working


def test_whole_stack_is_made_with_each_switch_on_and_off(declared: Working, artifacts: Path) -> None:
    declared.run("test", f"-var=artifacts={artifacts}", "-var=github_repository=owner/name")
