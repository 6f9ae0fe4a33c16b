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


def text() -> str:
    return "\n".join(file.read_text() for file in sorted(STACK.glob("*.tf")))


def test_each_variable_has_a_type_and_a_description_and_each_output_a_description() -> None:
    for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', text(), re.DOTALL | re.MULTILINE):
        needed = {"description", "type"} if kind == "variable" else {"description"}
        assert needed <= set(re.findall(r"^  (\w+) +=", body, re.MULTILINE)), f"{kind} {name}"


def test_each_variable_local_and_data_source_is_used() -> None:
    code = text()
    locals_ = "".join(re.findall(r"^locals \{\n(.*?)^\}", code, re.DOTALL | re.MULTILINE))
    declared = [f"var.{name}" for name in re.findall(r'^variable "(\w+)"', code, re.MULTILINE)]
    declared += [f"local.{name}" for name in re.findall(r"^  (\w+) +=", locals_, re.MULTILINE)]
    declared += [f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', code, re.MULTILINE)]
    assert [name for name in declared if not re.search(rf"\b{re.escape(name)}\b", code)] == []


def test_versions_of_terraform_and_of_each_provider_are_pinned() -> None:
    (required,) = re.findall(r"^  required_providers \{\n(.*?)^  \}", text(), re.DOTALL | re.MULTILINE)
    assert re.search(r'^  required_version = "[~=]', text(), re.MULTILINE)
    providers = re.findall(r"^    (\w+) = \{\n(.*?)^    \}", required, re.DOTALL | re.MULTILINE)
    assert {name for name, body in providers if re.search(r'version += "[~=]', body)} == {"aws"}
    assert set(re.findall(r'^resource "([a-z0-9]+)_', text(), re.MULTILINE)) <= {"aws", "terraform"}


def test_lists_are_indexed_and_asked_for_their_length_in_the_present_way() -> None:
    assert re.findall(r"[a-z_]\.\d+\.|\.\*\.|[!=]= \[\]", text()) == []


def test_names_are_in_snake_case() -> None:
    names = re.findall(r'^(?:resource|data) "\w+" "([^"]+)"|^(?:variable|output) "([^"]+)"', text(), re.MULTILINE)
    assert [name for pair in names for name in pair if name and not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []


def test_no_reference_stands_alone_in_a_string() -> None:
    assert re.findall(r'= "\$\{[^{}"]*\}"$', text(), re.MULTILINE) == []


def test_comments_begin_with_a_hash() -> None:
    assert re.findall(r"^ *(?://|/\*).*", text(), re.MULTILINE) == []
