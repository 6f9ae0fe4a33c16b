"""The command that watches the lake on AWS: `monitor`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from datalake.alerts import load_alerts
from datalake.cli.options import console, table_style
from datalake.monitor import STREAM, WORKGROUPS, Finding, State, Watched, evaluate, job_names
from datalake.targets import lake_bucket, open_client

_COLOURS = {State.ok: "green", State.alarm: "red", State.insufficient_data: "yellow"}


def monitor(
    job: Annotated[list[str] | None, typer.Option(help="A Glue job; may be repeated.")] = None,
    job_prefix: Annotated[str, typer.Option(help="Without --job: how the names of the jobs begin.")] = "datalake-",
    workgroup: Annotated[
        list[str] | None,
        typer.Option(help="A workgroup of Athena; may be repeated. By default analytics-team and datalake-dbt."),
    ] = None,
    bucket: Annotated[str | None, typer.Option(envvar="DATALAKE_BUCKET", help="The lake's bucket.")] = None,
    stream: Annotated[str, typer.Option(help="The stream of Firehose.")] = STREAM,
    dpu_hours: Annotated[
        float | None,
        typer.Option(envvar="DATALAKE_DPU_HOURS", help="The budget of DPU hours a day, all jobs together.", min=0),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show the state of each alert: jobs, queries, the bucket, the stream; ends with 1 where one is in ALARM."""
    bucket = bucket or lake_bucket("give --bucket")
    alerts = [
        alert.model_copy(update={"threshold": dpu_hours})
        if dpu_hours is not None and alert.measure == "dpu_hours"
        else alert
        for alert in load_alerts()
    ]
    with open_client("cloudwatch") as cloudwatch, open_client("glue") as glue, open_client("athena") as athena:
        watched = Watched(
            jobs=tuple(job or job_names(glue, job_prefix)),
            workgroups=tuple(workgroup or WORKGROUPS),
            buckets=(bucket,),
            streams=(stream,),
        )
        findings = evaluate(alerts, watched, cloudwatch=cloudwatch, glue=glue, athena=athena, now=datetime.now(UTC))
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        _print(findings)
        if not watched.jobs:
            console.print(
                f"No Glue job's name begins with {escape(job_prefix)}; name others by --job or --job-prefix.",
                soft_wrap=True,
            )
    if any(finding.state is State.alarm for finding in findings):
        raise typer.Exit(1)


def _print(findings: Sequence[Finding]) -> None:
    table = Table("Alert", "Resource", "State", **table_style("Alerts"))
    for figure in ("Measured", "Threshold"):
        table.add_column(figure, justify="right")
    table.add_column("Since (UTC)")
    for finding in findings:
        sign = ">" if finding.alert.comparison == "GreaterThanThreshold" else "<"
        table.add_row(
            finding.alert.name,
            escape(finding.resource),
            f"[{_COLOURS[finding.state]}]{finding.state}[/]",
            "none" if finding.measured is None else _figure(finding.measured),
            f"{sign} {_figure(finding.alert.threshold)}",
            f"{finding.since:%F %H:%M}" if finding.since else "",
        )
    console.print(table)
    for finding in findings:
        if finding.state is not State.ok:
            remedy = f" {finding.alert.description} {finding.alert.remedy}" if finding.state is State.alarm else ""
            console.print(
                f"[{_COLOURS[finding.state]}]{finding.alert.name}[/] of {escape(finding.resource)}: "
                f"{escape(finding.detail)}{escape(remedy)}",
                soft_wrap=True,
                highlight=False,
            )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.6g}"
