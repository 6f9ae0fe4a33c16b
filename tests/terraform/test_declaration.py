"""The stack is in Terraform's own shape, and valid."""

from __future__ import annotations

from terraform_cli import Working


def test_files_are_formatted(declared: Working) -> None:
    assert declared.run("fmt", "-check", "-diff", "-recursive") == ""


def test_stack_is_valid(declared: Working) -> None:
    assert declared.json("validate")["diagnostics"] == []
