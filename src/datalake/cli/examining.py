"""The command that looks at what a deployment needs: `doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from datalake.aws import client
from datalake.cli.options import Project, console, table_style
from datalake.doctor import Finding, State, When, at_site, examine
from datalake.errors import AwsError
from datalake.needs import CHECKS
from datalake.targets import Target

_COLOURS = {
    State.waiting: "yellow",
    State.ok: "green",
    State.warning: "yellow",
    State.unchecked: "red",
    State.missing: "red",
    State.wrong: "red",
}
"""The states, the worst last."""

_ANSWERS_SOON: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "read_timeout": 20,
    "retries": {"mode": "standard", "max_attempts": 2},
}
"""Settings of the clients, so that an account out of reach is told soon."""


def doctor(
    target: Annotated[Target | None, typer.Option(envvar="DATALAKE_TARGET", help="The lake: dev, ci or prod.")] = None,
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Look at what terraform apply needs, not at what it makes.")
    ] = False,
    is_built: Annotated[
        bool,
        typer.Option("--is-built", help="Print true or false: has dbt built its tables once, as lake_is_built asks?"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    project: Project = Path(),
) -> None:
    """Say what the lake on AWS lacks and how to mend it; ends with 1 where something is missing, wrong or unseen."""
    site = at_site(
        project, {**os.environ, "DATALAKE_TARGET": target.value if target else ""}, partial(client, **_ANSWERS_SOON)
    )
    if is_built:
        findings = examine((check for check in CHECKS if check.name in ("credentials", "built")), site)
        for finding in findings:
            if finding.is_fault or finding.state is State.waiting:
                raise AwsError(f"It can't be told whether the lake is built. {finding.detail} {finding.check.remedy}")
        print(json.dumps(_is_built(findings)))
        return
    now = (When.always, When.before) if before_deploy else (When.always, When.deployed)
    findings = examine((check for check in CHECKS if check.when in now), site)
    if as_json:
        told = [finding.as_dict() for finding in findings]
        print(
            json.dumps(
                {"environment": site.environment, "lake_is_built": _is_built(findings), "findings": told}, indent=2
            )
        )
    else:
        _print(findings)
    if any(finding.is_fault for finding in findings):
        raise typer.Exit(1)


def _is_built(findings: Sequence[Finding]) -> bool | None:
    """Return whether dbt has built its tables once, or None where that was not looked at."""
    states = {State.ok: True, State.warning: False}
    return next((states.get(finding.state) for finding in findings if finding.check.name == "built"), None)


def _print(findings: Sequence[Finding]) -> None:
    checks = [list(of) for _, of in groupby(findings, key=lambda finding: finding.check.name)]
    table = Table("Check", "State", "Needed, or seen", **table_style("Doctor"))
    for found in checks:
        worst = max((finding.state for finding in found), key=list(_COLOURS).index)
        if worst is not State.waiting:
            seen = found[0].detail if worst is State.ok and found[0].detail else found[0].check.needs
            table.add_row(found[0].check.name, f"[{_COLOURS[worst]}]{worst}[/]", escape(seen))
    console.print(table)
    if waiting := sum(found[0].state is State.waiting for found in checks):
        console.print(f"{waiting} checks wait for what is missing or wrong.", soft_wrap=True, highlight=False)
    for found in checks:
        told = [finding for finding in found if finding.state not in (State.ok, State.waiting)]
        for finding in told:
            console.print(
                f"[{_COLOURS[finding.state]}]{finding.check.name}[/]: {escape(finding.detail)}",
                soft_wrap=True,
                highlight=False,
            )
        if told:
            console.print(f"  {escape(told[0].check.remedy)}", soft_wrap=True, highlight=False)
