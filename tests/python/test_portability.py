"""Models run on DuckDB and on Athena: what they may say is what both understand alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lakes import PROJECT

MODELS = sorted([*(PROJECT / "models").rglob("*.sql"), *(PROJECT / "analyses").rglob("*.sql")])

# Functions that DuckDB and Trino answer alike. Division, date arithmetic, regular expressions and text to number
# or time differ in silence: they have macros in macros/engines/.
ALIKE = {
    "avg",
    "cast",
    "coalesce",
    "concat_ws",
    "count",
    "extract",
    "lead",
    "lower",
    "max",
    "min",
    "nullif",
    "row_number",
    "sum",
    "trim",
    "try_cast",
}
NOT_FUNCTIONS = {
    *("and", "as", "by", "decimal", "from", "in", "not", "on", "or", "over", "select", "timestamp", "when", "with"),
}

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")


def spoken_sql(model: str) -> str:
    """Return the model's own SQL: what macros render, comments and texts left out."""
    return _TEXT.sub("''", _COMMENT.sub("", _JINJA.sub(" jinja ", model)))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_model_uses_functions_that_both_engines_answer_alike(model: Path) -> None:
    used = set(_CALL.findall(spoken_sql(model.read_text())))
    assert used - NOT_FUNCTIONS - ALIKE == set()


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_model_divides_and_casts_by_macro(model: Path) -> None:
    sql = spoken_sql(model.read_text())
    assert "/" not in sql
    assert "::" not in sql


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_model_never_asks_which_engine_it_is_on(model: Path) -> None:
    assert not re.search(r"target\.|adapter\.|duckdb|athena|trino", model.read_text())


def test_engine_differences_stand_in_their_folder_only() -> None:
    elsewhere = [
        path.relative_to(PROJECT)
        for path in (PROJECT / "macros").rglob("*.sql")
        if path.parent.name != "engines"
        and re.search(r"duckdb__|athena__|adapter\.dispatch|target\.type", path.read_text())
    ]
    assert elsewhere == []
