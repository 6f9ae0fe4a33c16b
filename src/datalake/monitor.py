"""The state of the alerts, measured now from what Glue, Athena and CloudWatch know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Any

from datalake.alerts import Alert
from datalake.cost import read_history
from datalake.errors import JobNotFoundError
from datalake.glue_job import IN_WORK, NOT_BEGUN, runs
from datalake.quality import CloudWatchClient

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

WORKGROUPS = ("analytics-team", "datalake-dbt")
STREAM = "events-stream"

_LONGEST_RUN = timedelta(days=7)
"""Glue lets no batch job run longer: https://docs.aws.amazon.com/glue/latest/webapi/API_Job.html (Timeout)."""

_LATE = timedelta(minutes=5)
"""How late CloudWatch may have the figures of S3 and Firehose, which are sent once a minute."""

_PERIODS = 24
"""How many periods are looked back for the beginning of a breach."""


class State(StrEnum):
    """The state of an alert, in CloudWatch's terms."""

    ok = "OK"
    alarm = "ALARM"
    insufficient_data = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class Watched:
    """What is watched.

    Attributes:
        jobs: names of Glue jobs.
        workgroups: names of Athena's workgroups.
        buckets: names of buckets.
        streams: names of Firehose's streams.
    """

    jobs: tuple[str, ...] = ()
    workgroups: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The state of an alert for one resource.

    Attributes:
        alert: the alert.
        resource: the resource's name; `all jobs` for what is measured of them together.
        state: OK, ALARM or INSUFFICIENT_DATA.
        measured: what was measured, in the alert's unit; None where there is no data.
        since: when the breach began, as far as was looked back; None where there is none.
        detail: what was measured, or why nothing could be.
    """

    alert: Alert
    resource: str
    state: State
    measured: float | None
    since: datetime | None
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON holds it."""
        return {
            "alert": self.alert.name,
            "component": self.alert.component,
            "resource": self.resource,
            "state": self.state.value,
            "measured": self.measured,
            "comparison": self.alert.comparison,
            "threshold": self.alert.threshold,
            "unit": self.alert.unit,
            "since": self.since and self.since.isoformat(),
            "detail": self.detail,
            "remedy": self.alert.remedy,
        }


def evaluate(
    alerts: Iterable[Alert],
    watched: Watched,
    *,
    cloudwatch: CloudWatchClient,
    glue: GlueClient,
    athena: AthenaClient,
    now: datetime,
) -> tuple[Finding, ...]:
    """Return the state of each alert for each resource that it is about, in the order of the alerts.

    Args:
        alerts: the alerts.
        watched: the resources. An alert that is about none of them has no data, which is told.
        cloudwatch: boto3's client of CloudWatch.
        glue: boto3's client of Glue.
        athena: boto3's client of Athena.
        now: an aware time.
    """
    now = now.astimezone(UTC)
    alerts = tuple(alerts)
    history = _read_runs(glue, watched.jobs, alerts, now)
    findings: list[Finding] = []
    for alert in alerts:
        match alert.measure:
            case "job_duration":
                found = [_duration(alert, job, history[job], now) for job in watched.jobs]
            case "dpu_hours":
                found = [_dpu_hours(alert, history, now)] if watched.jobs else []
            case "scanned_bytes":
                found = [_scanned_bytes(alert, workgroup, athena, now) for workgroup in watched.workgroups]
            case "metrics":
                names = watched.buckets if alert.resource == "bucket" else watched.streams
                found = [_metrics(alert, name, cloudwatch, now) for name in names]
        findings += found or [_unknown(alert, "none", f"There is no {alert.resource.removesuffix('s')} to watch.")]
    return tuple(findings)


def job_names(client: GlueClient, prefix: str) -> tuple[str, ...]:
    """Return the names of Glue's jobs that begin so, sorted."""
    pages = client.get_paginator("list_jobs").paginate()
    return tuple(sorted(name for page in pages for name in page["JobNames"] if name.startswith(prefix)))


def _state(alert: Alert, measured: float | None) -> State:
    if measured is not None:
        return State.alarm if alert.is_breached_by(measured) else State.ok
    return {
        "missing": State.insufficient_data,
        "notBreaching": State.ok,
        "breaching": State.alarm,
    }[alert.treat_missing_data]


def _finding(
    alert: Alert, resource: str, measured: float | None, detail: str, since: datetime | None = None
) -> Finding:
    return Finding(alert, resource, _state(alert, measured), measured, since, detail)


def _unknown(alert: Alert, resource: str, detail: str) -> Finding:
    """Return that nothing can be told, whatever the alert says of missing data."""
    return Finding(alert, resource, State.insufficient_data, None, None, detail)


def _read_runs(
    client: GlueClient, jobs: Iterable[str], alerts: Sequence[Alert], now: datetime
) -> dict[str, list[JobRunTypeDef] | None]:
    """Return the runs of each job, the newest first, as far back as the alerts look; None where there is no job."""
    periods = [alert.period for alert in alerts if alert.measure in ("job_duration", "dpu_hours")]
    baseline = max((alert.baseline.runs for alert in alerts if alert.baseline), default=0)
    begun = now - timedelta(seconds=max(periods, default=0)) - _LONGEST_RUN
    history: dict[str, list[JobRunTypeDef] | None] = {}
    for job in jobs if periods else ():
        try:
            history[job] = _runs_since(client, job, begun, baseline)
        except JobNotFoundError:
            history[job] = None
    return history


def _runs_since(client: GlueClient, job: str, begun: datetime, successes: int) -> list[JobRunTypeDef]:
    """Return the runs of a job begun since then, and before it so many successful ones with what lies between."""
    found: list[JobRunTypeDef] = []
    for run in runs(client, job):
        if run["StartedOn"] < begun:
            if not successes:
                break
            successes -= run["JobRunState"] == "SUCCEEDED"
        found.append(run)
    return found


def _in_period(alert: Alert, history: Iterable[JobRunTypeDef], now: datetime) -> list[JobRunTypeDef]:
    """Return the runs that ended in the alert's period, or are in work."""
    beginning = now - timedelta(seconds=alert.period)
    return [
        run
        for run in history
        if run["JobRunState"] in IN_WORK
        or (run["JobRunState"] not in NOT_BEGUN and run.get("CompletedOn", run["StartedOn"]) >= beginning)
    ]


def _seconds(run: JobRunTypeDef, now: datetime) -> float:
    """Return how long a run consumed resources; while it is in work, the time since it was started, with its wait."""
    consumed = float(run.get("ExecutionTime", 0))
    return max(consumed, (now - run["StartedOn"]).total_seconds()) if run["JobRunState"] in IN_WORK else consumed


def _duration(alert: Alert, job: str, history: Sequence[JobRunTypeDef] | None, now: datetime) -> Finding:
    """Compare each run of the period with the median of the successful runs before it; the longest by far counts."""
    if history is None:
        return _unknown(alert, job, "Glue has no job of this name.")
    rule = alert.baseline
    assert rule  # the declaration of such an alert has one
    judged = sorted(_in_period(alert, history, now), key=lambda run: run["StartedOn"])
    if not judged:
        return _finding(alert, job, None, f"No run in {alert.period / 3600:g} hours.")
    measured: float | None = None
    since: datetime | None = None
    detail = ""
    for run in judged:
        before = [
            each.get("ExecutionTime", 0)
            for each in history
            if each["JobRunState"] == "SUCCEEDED" and each["StartedOn"] < run["StartedOn"]
        ][: rule.runs]
        baseline = median(before) if len(before) >= rule.minimum else 0
        if not baseline:
            continue
        times = _seconds(run, now) / baseline
        if since is None and alert.is_breached_by(times):
            since = run["StartedOn"]
        if measured is None or times > measured:
            measured = times
            detail = (
                f"{run['Id']} {run['JobRunState']}, {_seconds(run, now):,.0f} s; "
                f"the median of {len(before)} runs before is {baseline:,.0f} s."
            )
    if measured is None:
        return _unknown(
            alert, job, f"Not enough runs yet: {rule.minimum} successful ones of some length are a baseline."
        )
    return _finding(alert, job, measured, detail, since)


def _dpu_hours(alert: Alert, history: Mapping[str, Sequence[JobRunTypeDef] | None], now: datetime) -> Finding:
    """Add up what the runs of the period consumed; one counts whole when it ends, and so far while it is in work."""
    known = {job: found for job, found in history.items() if found is not None}
    if not known:
        return _unknown(alert, "all jobs", "Glue has no job of these names.")
    consumed = [
        (min(now, run.get("CompletedOn", now)) if run["JobRunState"] not in IN_WORK else now, job, _dpu(run, now))
        for job, found in known.items()
        for run in _in_period(alert, found, now)
    ]
    total, since = 0.0, None
    by_job: dict[str, float] = dict.fromkeys(known, 0.0)
    for at, job, hours in sorted(consumed):
        total += hours
        by_job[job] += hours
        if since is None and alert.is_breached_by(total):
            since = at
    most = max(by_job, key=lambda job: by_job[job])
    detail = f"{len(consumed)} runs in {alert.period / 3600:g} hours, most of it {most} with {by_job[most]:,.4g}."
    return _finding(alert, "all jobs", total, detail, since)


def _dpu(run: JobRunTypeDef, now: datetime) -> float:
    """Return the DPU hours of a run: as Glue counts them for Flex and auto scaling, else capacity times duration."""
    capacity = run.get("MaxCapacity") or run.get("AllocatedCapacity", 0)
    return (run.get("DPUSeconds") or capacity * _seconds(run, now)) / 3600


def _scanned_bytes(alert: Alert, workgroup: str, client: AthenaClient, now: datetime) -> Finding:
    """Look for the statement of the period that scanned most, whatever became of it."""
    beginning = now - timedelta(seconds=alert.period)
    try:
        scanned = [
            (each.get("Statistics", {}).get("DataScannedInBytes", 0), each)
            for each in read_history(client, workgroup, beginning)
            if each["Status"]["SubmissionDateTime"] >= beginning
        ]
    except client.exceptions.InvalidRequestException as error:
        return _unknown(alert, workgroup, str(error.response["Error"].get("Message", error)))
    if not scanned:
        return _finding(alert, workgroup, None, f"No statement in {alert.period / 3600:g} hours.")
    most, execution = max(scanned, key=lambda each: each[0])
    breaches = [each["Status"]["SubmissionDateTime"] for size, each in scanned if alert.is_breached_by(size)]
    detail = f"{execution['QueryExecutionId']} scanned most of {len(scanned):,} statements."
    return _finding(alert, workgroup, float(most), detail, min(breaches, default=None))


def _metrics(alert: Alert, name: str, client: CloudWatchClient, now: datetime) -> Finding:
    """Calculate the last whole period from CloudWatch's figures, and for how many periods before it was breached."""
    end = _beginning(now - _LATE, alert.period)
    period = timedelta(seconds=alert.period)
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[
            {
                "Id": metric.id,
                "MetricStat": {
                    "Metric": {
                        "Namespace": metric.namespace,
                        "MetricName": metric.metric_name,
                        "Dimensions": [
                            {"Name": key, "Value": value.replace(f"{{{alert.resource}}}", name)}
                            for key, value in metric.dimensions.items()
                        ],
                    },
                    "Period": alert.period,
                    "Stat": metric.statistic,
                },
            }
            for metric in alert.metrics
        ],
        StartTime=end - _PERIODS * period,
        EndTime=end,
    )
    figures: dict[datetime, dict[str, float | None]] = defaultdict(lambda: dict.fromkeys(m.id for m in alert.metrics))
    for page in pages:
        for result in page["MetricDataResults"]:
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                figures[_beginning(at, alert.period)][result["Id"]] = value
    since = None
    for back in range(1, _PERIODS + 1):
        if _state(alert, alert.calculate(figures[end - back * period])) is not State.alarm:
            break
        since = end - back * period
    last = figures[end - period]
    told = ", ".join(f"{key} {value:,.10g}" for key, value in last.items() if value is not None)
    detail = f"From {end - period:%F %H:%M} to {end:%H:%M} UTC: {told or 'CloudWatch has no figures'}."
    return _finding(alert, name, alert.calculate(last), detail, since)


def _beginning(at: datetime, period: int) -> datetime:
    """Return the beginning of the period in which a time lies; periods begin at midnight UTC of 1970."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)
