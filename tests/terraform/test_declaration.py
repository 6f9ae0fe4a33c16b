"""The stack is in Terraform's own shape, and valid."""

from __future__ import annotations

import re

from terraform_cli import PROJECT, STACK, Working


def test_files_are_formatted(declared: Working) -> None:
    assert declared.run("fmt", "-check", "-diff", "-recursive") == ""


def test_stack_is_valid(declared: Working) -> None:
    assert declared.json("validate")["diagnostics"] == []


def test_each_skipped_check_has_a_reason() -> None:
    skips = [line for file in STACK.glob("*.tf") for line in file.read_text().splitlines() if "checkov:skip" in line]
    assert skips
    reason = re.compile(r" +#checkov:skip=CKV2?_AWS_\d+:\S+( \S+){2,}")
    assert [line for line in skips if not reason.fullmatch(line)] == []


def test_no_check_is_skipped_for_the_whole_stack() -> None:
    assert [*PROJECT.glob(".checkov.y*ml"), *STACK.glob(".checkov.y*ml")] == []
    assert not re.search("--(skip-check|soft-fail|check|baseline)", (PROJECT / "ci.mk").read_text())
