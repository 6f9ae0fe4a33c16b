"""The list of statements that Athena takes: each runs, and its answer is as Athena's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked import ask, must
from botocore.exceptions import ClientError

from athena_bench.bench import Bench

GROUPS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("accepted.yml").read_text("utf-8"))
FEWEST = 150


def entries(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a group, each with its kind."""
    for statement in group["statements"]:
        entry = {"sql": statement} if isinstance(statement, str) else statement
        yield {"kind": group["kind"], **entry}


def differences(bench: Bench, entry: dict[str, Any], database: str) -> Iterator[str]:
    """What a statement's answer has otherwise than the list, a sentence each."""
    try:
        asked = ask(bench, entry["sql"], database)
    except ClientError as error:
        yield str(error)
        return
    if asked.state != "SUCCEEDED" or asked.results is None:
        yield f"{asked.state}: {asked.reason}"
        return
    kind = f"{asked.execution['StatementType']} {asked.execution['SubstatementType']}"
    is_query = kind in ("DML SELECT", "DML EXECUTE")
    rows = asked.rows[1:] if is_query else asked.rows
    columns = asked.results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    told = {
        "kind": kind,
        "rows": rows,
        "types": asked.types,
        "count": asked.results["UpdateCount"],
    }
    for part in ("kind", "rows", "types", "count"):
        if part in entry and entry[part] != told[part]:
            yield f"{part} {told[part]}, expected {entry[part]}"
    width = 1 if kind.startswith("UTILITY") else len(columns)  # a line has all its values in one
    if any(len(row) != width for row in asked.rows):
        yield f"rows of another width than {width}"
    if is_query and asked.rows[0] != [column["Name"] for column in columns]:
        yield f"a header {asked.rows[0]}"


def filled(value: Any, names: dict[str, str]) -> Any:
    """A value of the list with the names of the test's own database and place."""
    if isinstance(value, str):
        for name, meant in names.items():
            value = value.replace(name, meant)
        return value
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return value


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["group"])
def test_statements_that_athena_accepts_run(athena_bench: Bench, group: dict[str, Any]) -> None:
    database = f"accepted_{GROUPS.index(group)}"
    must(athena_bench, f"create database {database}")
    names = {"{db}": database, "{place}": f"s3://athena-bench/{database}/"}
    found = [
        f"{entry['sql']}\n  -> {difference}"
        for entry in (filled(entry, names) for entry in entries(group))
        for difference in differences(athena_bench, entry, database)
    ]
    must(athena_bench, f"drop database {database} cascade")
    assert not found, "\n".join(found)


def test_list_is_long_enough() -> None:
    texts = [entry["sql"] for group in GROUPS for entry in entries(group)]
    assert len(texts) >= FEWEST, f"{len(texts)} statements"
