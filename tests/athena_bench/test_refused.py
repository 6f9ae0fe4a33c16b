"""The list of statements and calls that Athena refuses: each is refused, with Athena's code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked import ask, must
from botocore.exceptions import ClientError
from test_accepted import filled

from athena_bench.bench import Bench

GROUPS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("refused.yml").read_text("utf-8"))
FEWEST = 60
DATABASE = "refusing"
NAMES = {"{db}": DATABASE, "{place}": f"s3://athena-bench/{DATABASE}/"}


@pytest.fixture(scope="module")
def refusing(athena_bench: Bench) -> Iterator[str]:
    """A database with a Hive table h, one with partitions p, an Iceberg table i, a view v and a folder that is full."""
    made = (
        "create database {db}",
        "create table {db}.h with (external_location = '{place}h/') as select 1 as id",
        "create table {db}.full with (external_location = '{place}full/') as select 1 as id",
        "create external table {db}.p (id int) partitioned by (day string) stored as parquet location '{place}p/'",
        "alter table {db}.p add partition (day = 'a')",
        "create table {db}.i with (table_type = 'ICEBERG', is_external = false, location = '{place}i/') as select 1 id",
        "create view {db}.v as select 1 as n",
    )
    for sql in made:
        must(athena_bench, filled(sql, NAMES))
    yield DATABASE
    must(athena_bench, f"drop database {DATABASE} cascade")


def entries(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a group, each with what is said of all of them."""
    of_all = {key: group[key] for key in ("code",) if key in group}
    given = [{"sql": one} if isinstance(one, str) else one for one in group.get("statements", [])]
    return [filled(of_all | entry, NAMES) for entry in given]


def fault(bench: Bench, entry: dict[str, Any]) -> str | None:
    """How a refusal is not as the list has it."""
    try:
        asked = ask(bench, entry["sql"], DATABASE)
    except ClientError as error:
        response: Any = error.response
        told = (response["Error"]["Code"], response.get("AthenaErrorCode"))
        return None if told == ("InvalidRequestException", entry.get("code")) else f"refused at once: {error}"
    if "code" in entry:
        return f"taken, then {asked.state}: {asked.reason}"
    if asked.state != "FAILED" or entry["reason"] not in asked.reason:
        return f"{asked.state}: {asked.reason}"
    told_of = asked.execution["Status"]["AthenaError"]
    if (told_of["ErrorCategory"], told_of["ErrorType"]) != (2, entry.get("type", 1000)):
        return f"AthenaError {told_of}"
    return None


@pytest.mark.parametrize(
    "group", [group for group in GROUPS if "statements" in group], ids=lambda group: group["group"]
)
def test_statements_that_athena_refuses_are_refused(athena_bench: Bench, refusing: str, group: dict[str, Any]) -> None:
    found = {entry["sql"]: fault(athena_bench, entry) for entry in entries(group)}
    assert not any(found.values()), "\n".join(f"{sql}\n  -> {why}" for sql, why in found.items() if why)


def test_what_is_missing_is_refused_by_name(athena_bench: Bench, refusing: str) -> None:
    for entry in filled(yaml.safe_load(Path(__file__).with_name("missing.yml").read_text("utf-8")), NAMES):
        try:
            says = ask(athena_bench, entry["sql"], refusing).reason
        except ClientError as error:
            says = str(error)
        assert entry["names"] in says, entry["what"]


def test_calls_that_athena_refuses_are_refused(athena_bench: Bench) -> None:
    athena = athena_bench.client("athena")
    for entry in (entry for group in GROUPS for entry in group.get("calls", [])):
        with pytest.raises(ClientError) as raised:
            getattr(athena, entry["call"])(**entry["request"])
        assert raised.value.response["Error"]["Code"] == entry["code"], entry


def test_list_is_long_enough() -> None:
    count = sum(len(group.get("statements", [])) + len(group.get("calls", [])) for group in GROUPS)
    assert count >= FEWEST, f"{count} statements"
