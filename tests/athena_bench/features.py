"""Writes the page of what the bench does, feature by feature, from its tests: `make features`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore import xform_name
from botocore.session import Session
from moto.athena.responses import AthenaResponse

from athena_bench.bench import Bench
from athena_bench.queries import Queries

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "src" / "athena_bench" / "FEATURES.md"
STRICTER = "stricter"
_LISTS = {"test_accepted", "test_refused", "test_features"}
"""Tests whose content is in the lists themselves."""

_HEAD = """# What is like Athena, what is stricter, what is missing

Every line is a test of `tests/athena_bench/` or an entry of its lists; `make features` writes this page from them.
Athena's behaviour is that of its documentation, and of what other projects' tests expect of it.
"""


@dataclass(frozen=True)
class Case:
    """A test: the sentence that it shows, and whether the bench is stricter there than Athena."""

    sentence: str
    is_stricter: bool


def cases(module: ast.Module) -> Iterator[Case]:
    """The tests of a module."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = {ast.unparse(mark) for mark in node.decorator_list}
            yield Case(_sentence(node.name), f"pytest.mark.{STRICTER}" in marks)


def _sentence(name: str) -> str:
    words = name.removeprefix("test_").replace("_", " ")
    for word, written in {
        "athenas": "Athena's",
        "athena": "Athena",
        "s3": "S3",
        "csv": "CSV",
        "glue": "Glue",
        "iam": "IAM",
    }.items():
        words = " ".join(written if part == word else part for part in words.split())
    words = words.replace("lake formation", "Lake Formation").replace("Lake formation", "Lake Formation")
    return words[0].upper() + words[1:]


def listed(name: str) -> list[dict[str, Any]]:
    """One of the lists: accepted, refused or missing."""
    entries: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yml").read_text("utf-8"))
    return entries


def missing_operations() -> list[str]:
    """The operations of Athena's API that nobody answers."""
    answered = {target.partition(".")[2] for target in Bench().server.targets if target.startswith("AmazonAthena.")}
    by_name = {*dir(Queries), *dir(AthenaResponse)}
    operations = Session().get_service_model("athena").operation_names
    return [name for name in operations if name not in answered and xform_name(name) not in by_name]


def page() -> str:
    """The page."""
    modules = [ast.parse(file.read_text("utf-8")) for file in sorted(HERE.glob("test_*.py")) if file.stem not in _LISTS]
    found = {str(ast.get_docstring(module)).partition("\n")[0]: list(cases(module)) for module in modules}
    lines = [_HEAD, "## Like Athena", ""]
    for name in ("accepted", "refused"):
        groups = listed(name)
        counts = {group["group"]: len(group.get("statements", group.get("calls", []))) for group in groups}
        lines += [
            f"[{name}.yml](../../tests/athena_bench/{name}.yml): {sum(counts.values())} that Athena "
            f"{'accepts' if name == 'accepted' else 'refuses'}: "
            f"{', '.join(f'{group} {count}' for group, count in counts.items())}.",
            "",
        ]
    for about, shown in found.items():
        like = [f"- {case.sentence}." for case in shown if not case.is_stricter]
        lines += [f"### {about.rstrip('.')}", "", *like, ""]
    lines += ["## Stricter", ""]
    lines += [f"- {case.sentence}." for shown in found.values() for case in shown if case.is_stricter]
    lines += ["- What is missing is refused by name, and no statement is passed over."]
    lines += ["", "## Missing", "", "Refused by name:", ""]
    lines += [f"- {entry['what']}." for entry in listed("missing")]
    lines += ["", f"Operations of the API: {', '.join(missing_operations())}.", ""]
    lines += [
        "Of IAM, conditions, boundaries and policies of resources are not looked at; who has a key that IAM did not",
        "give out may do everything. Prices, quotas and Athena's own speed can't be shown.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
