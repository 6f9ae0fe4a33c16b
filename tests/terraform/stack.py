"""The stack in a folder of its own, on the emulator."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from terraform_cli import PROJECT, STACK, Terraform, Working

LIST = yaml.safe_load(Path(__file__).with_name("not_on_the_emulator.yml").read_text("utf-8"))
NOT_MADE: dict[str, str] = LIST["not_made"]
NOT_TOLD_BACK: dict[str, dict[str, str]] = LIST["not_told_back"]

_PROVIDER = """
terraform {
  backend "local" {}
}

provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  max_retries                 = 2
}
"""


def copy(folder: Path) -> Path:
    """Copy the stack into a folder, where its way up leads to the repository's files, and return where it is."""
    for entry in PROJECT.iterdir():
        if entry.name != "terraform":
            (folder / entry.name).symlink_to(entry)
    copied = folder / STACK.relative_to(PROJECT)
    shutil.copytree(STACK, copied, ignore=shutil.ignore_patterns(".terraform", "tests", "*.tfvars", "*.tfstate*"))
    return copied


def overrides(configuration: str) -> str:
    """Return the override file of the emulator: its provider, and what no plan is to set again.

    Args:
        configuration: the text of all files of the stack.
    """
    blocks = [_PROVIDER]
    for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', configuration, re.MULTILINE):
        if kind in NOT_TOLD_BACK:
            ignored = ", ".join(NOT_TOLD_BACK[kind])
            blocks.append(
                f'resource "{kind}" "{name}" {{\n  lifecycle {{\n    ignore_changes = [{ignored}]\n  }}\n}}\n'
            )
    return "\n".join(blocks)


@dataclass(frozen=True)
class Plan:
    """A plan.

    Args:
        working: where it was made.
        file: the plan itself.
    """

    working: Working
    file: Path

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The plan, and the state that it is for, as `terraform show -json` has them."""
        document: Mapping[str, Any] = json.loads(self.working.run("show", "-json", str(self.file)))
        return document

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The values of each managed resource as it will be, by its address; what is not known yet is missing."""
        return {found["address"]: found.get("values", {}) for found in self._found() if found["mode"] == "managed"}

    def _found(self) -> Iterator[dict[str, Any]]:
        yield from self.document["planned_values"]["root_module"].get("resources", [])

    @cached_property
    def needs(self) -> dict[str, set[str]]:
        """What each block (`aws_s3_bucket.lake`, `data.x.y`, `local`s followed) refers to."""
        module = self.document["configuration"]["root_module"]
        return {
            block["address"]: {*_references(block.get("expressions", {})), *block.get("depends_on", [])}
            | set(block.get("for_each_expression", {}).get("references", []))
            | set(block.get("count_expression", {}).get("references", []))
            for block in module["resources"]
        }

    def targets(self) -> list[str]:
        """The resources that the emulator can make: all but the listed types, and what depends on them."""
        left_out = {block for block in self.needs if block.split(".")[0] in NOT_MADE}
        while True:
            further = {
                block
                for block, needed in self.needs.items()
                if block not in left_out and any(_is_of(reference, left_out) for reference in needed)
            }
            if not further:
                break
            left_out |= further
        blocks = {re.sub(r"\[.*", "", address) for address in self.resources}
        return sorted(blocks - left_out)


def _references(expressions: Any) -> Iterator[str]:
    if isinstance(expressions, dict):
        for name, value in expressions.items():
            if name == "references":
                yield from value
            else:
                yield from _references(value)
    elif isinstance(expressions, list):
        for value in expressions:
            yield from _references(value)


def _is_of(reference: str, blocks: set[str]) -> bool:
    return any(reference == block or reference.startswith((f"{block}.", f"{block}[")) for block in blocks)


@dataclass(frozen=True)
class Stack:
    """A copy of the stack with a state of its own.

    Args:
        working: its folder.
        variables: of each command.
    """

    working: Working
    variables: Mapping[str, str]

    @classmethod
    def on(
        cls, terraform: Terraform, folder: Path, environment: Mapping[str, str], variables: Mapping[str, str]
    ) -> Stack:
        """Make a copy in an empty folder, for the emulator whose environment variables are given."""
        repository = folder / "repository"
        repository.mkdir()
        copied = copy(repository)
        text = "\n".join(file.read_text("utf-8") for file in copied.glob("*.tf"))
        (copied / "emulator_override.tf").write_text(overrides(text), encoding="utf-8")
        return cls(terraform.init(copied, folder / "data", environment), variables)

    def plan(self, *options: str, **variables: str) -> Plan:
        """Plan, and return the plan."""
        with tempfile.NamedTemporaryFile(dir=self.working.folder, suffix=".plan", delete=False) as file:
            pass
        self.working.run("plan", f"-out={file.name}", *options, *self._settings(**variables))
        return Plan(self.working, Path(file.name))

    def apply(self, *options: str) -> None:
        """Plan, and do what the plan says."""
        self.working.run("apply", "-auto-approve", *options, *self._settings())

    def _settings(self, **variables: str) -> list[str]:
        return [f"-var={name}={value}" for name, value in {**self.variables, **variables}.items()]

    def resources(self) -> list[str]:
        """The addresses of what is made."""
        return self.working.run("state", "list").splitlines()

    def state(self) -> dict[str, dict[str, Any]]:
        """The values of each resource that is made, by its address; data sources begin with `data.`."""
        found = self.working.json("show")["values"]["root_module"]["resources"]
        return {each["address"]: each["values"] for each in found}

    def outputs(self) -> dict[str, Any]:
        """The outputs by name."""
        return {name: output["value"] for name, output in self.working.json("output").items()}


@dataclass(frozen=True)
class Applied:
    """The stack as it was just after it was applied; tests that come later change what is there.

    Args:
        stack: the stack.
        targets: the options that name the blocks that the emulator can make.
        state: the values of each resource that is made, by its address.
        whole: a plan of all of the stack on what is made, in which every ARN and policy is known.
        built: the same, for the time when dbt has built its tables.
    """

    stack: Stack
    targets: list[str]
    state: dict[str, dict[str, Any]]
    whole: Plan
    built: Plan

    @classmethod
    def make(cls, stack: Stack, planned: Plan) -> Applied:
        """Apply what the emulator can make of a plan."""
        targets = [f"-target={block}" for block in planned.targets()]
        stack.apply(*targets)
        state = stack.state()
        # What was just made is as the state has it: no need to ask for all of it two times more.
        whole, built = stack.plan("-refresh=false"), stack.plan("-refresh=false", lake_is_built="true")
        return cls(stack, targets, state, whole, built)
