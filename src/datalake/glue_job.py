"""A Glue job: start a run of it, once however often it is tried, and await its end.

Glue has no start that takes place only once. So a run carries its caller's token among its arguments, and a start
looks for a run with that token first. That makes one try after another safe, also after an answer that was lost. Two
starts at the very same moment can both find none: then Glue itself refuses the second one where the job's
MaxConcurrentRuns is 1 (its default), and the second start finds the first one's run. A job that may run more often at
once can start twice then.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from datalake.errors import JobArgumentError, JobBusyError, JobFailedError, JobNotFoundError, JobUnfinishedError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

POLL = 30.0
"""Seconds between two looks at a run."""

GIVE_UP_AFTER = 30 * 60.0
"""Seconds after which a run is awaited no longer."""

NOT_BEGUN = ("STARTING", "WAITING")
IN_WORK = ("RUNNING", "STOPPING")
"""The states of a run that is not at its end, and consumes nothing yet or does.

https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
"""

_ENDS_WITHOUT_SUCCESS = ("FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED")

_TOKEN = "--RUN_TOKEN"

_REMEMBERED = timedelta(days=7)
"""How far back a token is looked for, so that a start's cost does not grow with the job's history."""

_PAGE = 200
"""The most runs that GetJobRuns gives at once."""

_LOCATION = re.compile(r"s3://[^/\s]+/\S*")


@dataclass(frozen=True)
class Succeeded:
    """A run that succeeded.

    Attributes:
        job: the job's name.
        run_id: the run's id.
        seconds: how long it consumed resources.
    """

    job: str
    run_id: str
    seconds: int


def start(client: GlueClient, job: str, *, input_path: str, output_path: str, token: str | None = None) -> str:
    """Start a run of a job and return its id at once, without waiting for its end.

    The run with the token is found among those of the last 7 days, whatever became of it: to run a failed one again,
    give another token.

    Args:
        client: boto3's client of Glue.
        job: the job's name.
        input_path: the raw location that it reads, `s3://BUCKET/...`, its argument --INPUT_PATH.
        output_path: the curated location that it writes, its argument --OUTPUT_PATH.
        token: the caller's name for this run, by which a retry is known; without one each call starts a run.

    Raises:
        JobArgumentError: a location is none, the token is empty or belongs to a run with other locations, or Glue
            refuses the arguments.
        JobNotFoundError: there is no such job.
        JobBusyError: the job runs as often at once as it may, and none of these runs has the token.
    """
    for location in (input_path, output_path):
        if not _LOCATION.fullmatch(location):
            raise JobArgumentError(f"{location!r} is not a location. Give one as s3://BUCKET/raw/.")
    if token is not None and not token.strip():
        raise JobArgumentError("The run's token is empty. Give it a name, or none.")
    arguments = {
        "--INPUT_PATH": input_path,
        "--OUTPUT_PATH": output_path,
        "--enable-metrics": "true",
        "--enable-continuous-cloudwatch-log": "true",
    }
    if token is not None:
        arguments[_TOKEN] = token
        if started := _started(client, job, arguments):
            return started
    try:
        return client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]
    except client.exceptions.EntityNotFoundException as error:
        raise _not_found(job) from error
    except client.exceptions.InvalidInputException as error:
        raise JobArgumentError(f"Glue refused to start the job {job}: {error.response['Error']['Message']}") from error
    except client.exceptions.ConcurrentRunsExceededException as error:
        # Another start with this token came first, or an earlier request of this very start whose answer was lost.
        if token is not None and (started := _started(client, job, arguments)):
            return started
        raise JobBusyError(
            f"The job {job} runs as often at once as it may (MaxConcurrentRuns). Start it when a run has ended."
        ) from error


def wait(
    client: GlueClient,
    job: str,
    run_id: str,
    *,
    give_up_after: float = GIVE_UP_AFTER,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[str], Any] = lambda state: None,
) -> Succeeded:
    """Look at a run every 30 seconds until it is at its end.

    A run that Glue itself tries again (MaxRetries) has failed; its retry is a run of its own.

    Args:
        client: boto3's client of Glue, which tries a request again that met a fault or was throttled.
        job: the job's name.
        run_id: the run's id.
        give_up_after: seconds after which it is awaited no longer; it is not stopped.
        wait: passes that many seconds.
        clock: seconds that only grow.
        progress: told the run's state at each look.

    Raises:
        JobFailedError: it came to another end than success; the text is the run's own reason.
        JobUnfinishedError: it is not at its end in time; it runs on.
        JobNotFoundError: there is no such run.
    """
    deadline = clock() + give_up_after
    while True:
        try:
            run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        except client.exceptions.EntityNotFoundException as error:
            raise JobNotFoundError(
                f"Glue knows no run {run_id} of the job {job} in this account and region; it forgets after 365 days."
            ) from error
        state = run["JobRunState"]
        progress(state)
        if state == "SUCCEEDED":
            return Succeeded(job, run_id, run.get("ExecutionTime", 0))
        if state in _ENDS_WITHOUT_SUCCESS or (state not in NOT_BEGUN + IN_WORK and "CompletedOn" in run):
            raise JobFailedError(f"The run {run_id} of the job {job} ended as {state}: {_reason(run)}")
        remaining = deadline - clock()
        if remaining <= 0:
            raise JobUnfinishedError(_unfinished(job, run, give_up_after))
        wait(min(POLL, remaining))


def runs(client: GlueClient, job: str) -> Iterator[JobRunTypeDef]:
    """Yield the runs of a job, the newest first, page by page as they are taken.

    Raises:
        JobNotFoundError: there is no such job.
    """
    pages = client.get_paginator("get_job_runs").paginate(JobName=job, PaginationConfig={"PageSize": _PAGE})
    try:
        for page in pages:
            yield from page["JobRuns"]
    except client.exceptions.EntityNotFoundException as error:
        raise _not_found(job) from error


def _started(client: GlueClient, job: str, arguments: dict[str, str]) -> str | None:
    """Return the id of the newest run with the token, or None."""
    oldest = datetime.now(UTC) - _REMEMBERED
    for run in runs(client, job):
        if run["StartedOn"] < oldest:
            return None
        given = run.get("Arguments", {})
        if given.get(_TOKEN) != arguments[_TOKEN]:
            continue
        for name in ("--INPUT_PATH", "--OUTPUT_PATH"):
            if given.get(name) != arguments[name]:
                raise JobArgumentError(
                    f"The token {arguments[_TOKEN]} belongs to the run {run['Id']} of the job {job}, whose {name} is "
                    f"{given.get(name)}, not {arguments[name]}. Give this run another token."
                )
        return run["Id"]
    return None


def _reason(run: JobRunTypeDef) -> str:
    reason = run.get("ErrorMessage") or run.get("StateDetail")
    return reason or f"Glue gives no reason; its log group is {run.get('LogGroupName', '/aws-glue/jobs')}."


def _unfinished(job: str, run: JobRunTypeDef, seconds: float) -> str:
    own = f", {run['Timeout']:,} minutes" if run.get("Timeout") else ""
    name, run_id = shlex.quote(job), run["Id"]
    return (
        f"The run {run_id} of the job {job} is still {run['JobRunState']} after {seconds / 60:g} minutes. It runs on, "
        f"and is paid for, until its end or its own time-out{own}. "
        f"Look at it: aws glue get-job-run --job-name {name} --run-id {run_id}. "
        f"Stop it: aws glue batch-stop-job-run --job-name {name} --job-run-ids {run_id}."
    )


def _not_found(job: str) -> JobNotFoundError:
    return JobNotFoundError(f"There is no Glue job {job} in this account and region. Is AWS_REGION the one you mean?")
