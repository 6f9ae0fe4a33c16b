"""Links between pages, and what code says is in a page: each leads to a file and a section that are there."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from lakes import PROJECT

WORDS = re.compile(r"[^\w -]")
"""What GitHub leaves out of an anchor."""


def files(*patterns: str) -> list[Path]:
    """The repository's files of these patterns, those that are new too."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    said = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return sorted(PROJECT / name for name in set(said.splitlines()) if (PROJECT / name).exists())


PAGES = files("*.md")
CODE = files("*.py", "*.tf", "*.hcl", "*.sh", "*.sql", "*.yml", "*.mk", "*.in", "Makefile", "profiles.yml.example")


class Reference(NamedTuple):
    """What is said to be there: a page, and a section of it where one is named."""

    page: Path
    section: str


@cache
def sections(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return [heading.strip() for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


def anchor(heading: str) -> str:
    return WORDS.sub("", heading.lower()).replace(" ", "-")


def links(page: Path) -> list[Reference]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    found = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text)
    return [Reference((page.parent / path).resolve() if path else page, section) for path, section in found]


def references(file: Path) -> list[Reference]:
    """The pages that a file of code names by their paths, each with a section where one stands behind a comma."""
    text = re.sub(r"\n *(?:#|--)? *", " ", file.read_text("utf-8"))
    found = re.findall(r"\bdocs/((?:[\w-]+/)*[\w-]+\.md|decisions/\d{4})(?:, ([A-Z][\w' ]+))?", text)
    return [Reference(PROJECT / "docs" / path, section.strip()) for path, section in found]


def there_is(page: Path) -> Path | None:
    """The page, which a decision's number alone may name."""
    return next(iter(page.parent.glob(f"{page.name}-*.md")), None) if page.suffix == "" else page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for path, section in links(page):
        assert path.exists(), f"{page} links to {path}"
        assert not section or section in map(anchor, sections(path)), f"{page} links to {section} of {path}"


@pytest.mark.parametrize(
    "file", [file for file in CODE if references(file)], ids=lambda file: file.relative_to(PROJECT).as_posix()
)
def test_page_that_code_names_says_so(file: Path) -> None:
    for named, section in references(file):
        page = there_is(named)
        assert page is not None, f"{file} names {named}"
        assert page.exists(), f"{file} names {named}"
        assert not section or any(section.startswith(heading) for heading in sections(page)), f"{page}: {section}"


def test_each_decision_is_listed() -> None:
    listed = {path.name for path, _ in links(PROJECT / "docs/decisions/README.md")}
    assert listed == {page.name for page in PAGES if page.parent.name == "decisions"} - {"README.md"}


def test_each_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += [path for path, _ in links(page) if path.suffix == ".md" and path not in reached]
    assert [page for page in PAGES if page not in reached and page.is_relative_to(PROJECT / "docs")] == []


def test_decisions_differ_in_their_numbers() -> None:
    numbers = [page.name[:4] for page in PAGES if page.parent.name == "decisions" and page.name != "README.md"]
    assert sorted(numbers) == sorted(set(numbers))
