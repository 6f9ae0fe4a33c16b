"""The same raw files, built on DuckDB and on Athena: every table is equal, row for row and type for type."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import dirt
import reasons
from athena_lakes import NOW, AthenaLake, Content, TwinLakes
from lakes import Lake

FOLDERS = (35, 73, 91, 98, 112, 127, 129, 184, 194, 195)
"""Dirty folders of seed 1 that hold between them every reason that one of the first 200 has, per data set."""

IN_NO_FOLDER = {"line_too_long", "reserved_bytes"}


def test_every_arrival_makes_the_same_tables_on_both(athena_lake: AthenaLake, tmp_path: Path) -> None:
    """Dirty folders, with late files and changes of customers, arrive in four parts, then comes a full refresh.

    Lake Formation forgets the grants on a table that is dropped, so no run drops one that readers are granted by name;
    nor does the recount of a night, which is a full refresh, drop the results that it recounts.
    """
    lakes = TwinLakes(Lake(tmp_path / "lake"), athena_lake)
    cases = [dirt.make_case(1, number) for number in FOLDERS]
    made_at: dict[str, datetime] = {}
    for number in range(dirt.MOST_ARRIVALS):
        for case in cases:
            for key, body in (case.arrivals[number] if number < len(case.arrivals) else {}).items():
                if is_key_of_s3(key):
                    lakes.put(key, body)
        lakes.check(NOW + timedelta(days=number))
        lakes.dbt("run")
        assert differences(*lakes.content()) == [], f"after arrival {number}"
        made_at = made_at or granted_tables(athena_lake)
        assert granted_tables(athena_lake) == made_at, f"after arrival {number}"
    assert reasons_in(lakes.local) >= (reasons.of_rows() | reasons.of_files()) - IN_NO_FOLDER
    (changed,) = lakes.local.rows("select sum(superseded_rows), sum(deleted_rows) from curated_db.reconciliation")
    assert all(changed)
    lakes.dbt("run", "--full-refresh")
    assert differences(*lakes.content()) == [], "after a full refresh"
    assert granted_tables(athena_lake)["quality_results"] == made_at["quality_results"]


def reasons_in(lake: Lake) -> set[str]:
    """Return the reasons for which a row or a file is in the quarantine of a lake."""
    return {reason for (told,) in lake.rows("select reasons from curated_db.quarantine") for reason in told.split(",")}


def granted_tables(lake: AthenaLake) -> dict[str, datetime]:
    """Return when each table was made that analysts are granted: two of curated, and all of analytics."""
    glue = lake.bench.client("glue")
    return {
        table["Name"]: table["CreateTime"]
        for database in ("curated_db", "analytics_db")
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=database)
        for table in page["TableList"]
        if database == "analytics_db" or table["Name"] in ("customers", "orders")
    }


def is_key_of_s3(key: str) -> bool:
    """Tell whether S3 takes the key: it must be UTF-8; the bench takes none with a line break besides."""
    return "\n" not in key and not any("\ud800" <= letter <= "\udfff" for letter in key)


def differences(local: dict[str, Content], athena: dict[str, Content]) -> list[str]:
    """Return what tells the tables of the two apart, a line each."""
    found = []
    for name, expected in local.items():
        if expected.types != athena[name].types:
            found.append(f"{name} has the types {athena[name].types} on Athena, and {expected.types} locally")
        only_local = Counter(expected.rows) - Counter(athena[name].rows)
        only_athena = Counter(athena[name].rows) - Counter(expected.rows)
        found += [f"{name} locally only: {row}" for row in list(only_local.elements())[:3]]
        found += [f"{name} on Athena only: {row}" for row in list(only_athena.elements())[:3]]
    return found
