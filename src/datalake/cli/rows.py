"""An answer's rows on the screen, as CSV and as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

from rich.markup import escape
from rich.table import Table

from datalake.cli.options import console
from datalake.errors import DatalakeError
from datalake.values import as_json

Rows = Iterator[Sequence[Any]]

_SHOWN = 100


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def print_rows(columns: Sequence[str], rows: Rows, form: Form) -> None:
    """Print rows: a table of the first 100, or all of them as CSV (RFC 4180, nothing for NULL) or a JSON array.

    Args:
        columns: the columns' names.
        rows: the rows.
        form: how.

    Raises:
        DatalakeError: two columns have one name, and JSON has a place for one of them only.
    """
    match form:
        case Form.table:
            _print_table(columns, rows)
        case Form.csv:
            for row in _chain(columns, rows):
                sys.stdout.write(",".join(map(_quoted, row)) + "\n")
        case Form.json:
            _print_json(columns, rows)


def _chain(columns: Sequence[str], rows: Rows) -> Rows:
    yield columns
    yield from rows


def _print_table(columns: Sequence[str], rows: Rows) -> None:
    shown = list(islice(rows, _SHOWN))
    table = Table()
    for at, column in enumerate(columns):
        is_number = any(isinstance(row[at], int | float | Decimal) for row in shown)
        table.add_column(escape(column), justify="right" if is_number else "left")
    for row in shown:
        table.add_row(*("[dim]NULL[/]" if value is None else escape(_text(value)) for value in row))
    console.print(table)
    if next(rows, None) is not None:
        console.print(f"Only the first {_SHOWN} rows are shown; --format csv or json prints all.")


def _print_json(columns: Sequence[str], rows: Rows) -> None:
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise DatalakeError(f"Two columns are named {twice[0]}. Give one of them another name with `as`.")
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n{_json(dict(zip(columns, row, strict=True)))}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _json(value: Any) -> str:  # noqa: ANN401 - any value of an engine
    return json.dumps(as_json(value), ensure_ascii=False, allow_nan=False)


def _text(value: Any) -> str:  # noqa: ANN401 - any value of an engine
    """Return a value as SQL writes it; a list or a dict as JSON."""
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return value.hex()
        case list() | tuple() | dict():
            return _json(value)
        case _:
            return str(value)


def _quoted(value: Any) -> str:  # noqa: ANN401 - any value of an engine
    return "" if value is None else '"' + _text(value).replace('"', '""') + '"'
