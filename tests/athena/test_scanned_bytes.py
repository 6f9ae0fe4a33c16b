"""The alert on scanned bytes, of queries that a real engine ran."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from athena_lakes import BUCKET, WORKGROUP, AthenaLake

from datalake.alerts import load_alerts
from datalake.monitor import State, Watched, evaluate

(SCANNED,) = (alert for alert in load_alerts() if alert.measure == "scanned_bytes")


def test_query_that_scanned_over_the_threshold_is_found_in_the_history(athena_lake: AthenaLake) -> None:
    athena = athena_lake.athena
    athena_lake.store.put("lines/a.txt", b"one\ntwo\n" * 100)
    athena.run(f"create external table default.lines (line string) location 's3://{BUCKET}/lines/'")
    athena.run("select count(*) from default.lines where line = 'one'")
    largest = athena.run("select a.line from default.lines a cross join default.lines b limit 1")
    bytes_read = largest["Statistics"]["DataScannedInBytes"]
    assert bytes_read > 800

    def look(threshold: float) -> tuple[State, float | None, str]:
        alert = SCANNED.model_copy(update={"threshold": threshold})
        clients: dict[str, Any] = {"cloudwatch": None, "glue": None, "athena": athena_lake.bench.client("athena")}
        (finding,) = evaluate([alert], Watched(workgroups=(WORKGROUP,)), now=now, **clients)
        return finding.state, finding.measured, finding.detail

    now = datetime.now(UTC)
    told = f"{largest['QueryExecutionId']} scanned most of 3 statements."
    assert look(bytes_read) == (State.ok, bytes_read, told)
    assert look(bytes_read - 1) == (State.alarm, bytes_read, told)
    now += timedelta(hours=25)
    assert look(0) == (State.ok, None, "No statement in 24 hours.")
