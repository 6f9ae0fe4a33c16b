"""Runs of a Glue job: started once, awaited to every end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import moto_glue
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from faulty_s3 import Fault, faulty_s3
from moto_glue import create_job, put_run, runs_go_on

from datalake.errors import JobArgumentError, JobBusyError, JobFailedError, JobNotFoundError, JobUnfinishedError
from datalake.glue_job import start, wait

PATHS = {"input_path": "s3://lake/raw/", "output_path": "s3://lake/curated/"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_glue.moto_server() as address:
        yield address


@pytest.fixture(scope="module")
def glue(url: str) -> Any:
    return moto_glue.client("glue", url)


@pytest.fixture
def job(glue: Any) -> str:
    """A job that may run once at a time."""
    return create_job(glue, f"orders {uuid4()}")


class Clock:
    """Seconds that pass when they are waited for, and with each reading as many as a request takes."""

    def __init__(self, a_request: float = 0) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._a_request = a_request

    def __call__(self) -> float:
        self.now += self._a_request
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0, "it would look again and again"
        self.waits.append(seconds)
        self.now += seconds


def await_end(glue: Any, job: str, run_id: str, clock: Clock | None = None, **more: Any) -> Any:
    clock = clock or Clock()
    return wait(glue, job, run_id, wait=clock.wait, clock=clock, **more)


def run_ids(glue: Any, job: str) -> list[str]:
    return [run["Id"] for page in glue.get_paginator("get_job_runs").paginate(JobName=job) for run in page["JobRuns"]]


def test_run_has_its_locations_metrics_logs_and_token(glue: Any, job: str) -> None:
    run_id = start(glue, job, token="2024-01-15", **PATHS)
    assert glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]["Arguments"] == {
        "--INPUT_PATH": "s3://lake/raw/",
        "--OUTPUT_PATH": "s3://lake/curated/",
        "--enable-metrics": "true",
        "--enable-continuous-cloudwatch-log": "true",
        "--RUN_TOKEN": "2024-01-15",
    }


def test_same_token_is_the_same_run_whatever_became_of_it(glue: Any, job: str) -> None:
    first = start(glue, job, token="a", **PATHS)
    assert start(glue, job, token="b", **PATHS) != first
    assert start(glue, job, token="a", **PATHS) == first
    failed = put_run(job, "FAILED", Arguments=arguments("c"))
    assert start(glue, job, token="c", **PATHS) == failed
    assert len(run_ids(glue, job)) == 3


def test_each_start_without_a_token_is_a_run(glue: Any, job: str) -> None:
    assert start(glue, job, **PATHS) != start(glue, job, **PATHS)


def test_start_returns_while_the_run_goes_on(glue: Any, job: str) -> None:
    with runs_go_on():
        run_id = start(glue, job, token="a", **PATHS)
        assert glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]["JobRunState"] == "STARTING"


def arguments(token: str) -> dict[str, str]:
    return {"--INPUT_PATH": "s3://lake/raw/", "--OUTPUT_PATH": "s3://lake/curated/", "--RUN_TOKEN": token}


def test_token_is_found_behind_a_page_of_runs(glue: Any, job: str) -> None:
    for _ in range(230):
        put_run(job, Arguments=arguments("another"))
    old = put_run(job, Arguments=arguments("old"))
    assert start(glue, job, token="old", **PATHS) == old


def test_token_is_looked_for_in_a_week_of_runs_and_no_further(glue: Any, job: str) -> None:
    now = datetime.now(UTC)
    young = put_run(job, StartedOn=now - timedelta(days=6, hours=23), Arguments=arguments("young"))
    old = put_run(job, StartedOn=now - timedelta(days=7, hours=1), Arguments=arguments("old"))
    assert start(glue, job, token="young", **PATHS) == young
    assert start(glue, job, token="old", **PATHS) != old


def test_newest_run_of_a_token_is_found_where_glue_itself_tried_it_again(glue: Any, job: str) -> None:
    retry = put_run(job, "RUNNING", Arguments=arguments("a"))
    put_run(job, "FAILED", Arguments=arguments("a"))
    assert start(glue, job, token="a", **PATHS) == retry


@pytest.mark.parametrize("changed", ["input_path", "output_path"])
def test_token_of_a_run_with_other_locations_is_refused(glue: Any, job: str, changed: str) -> None:
    run_id = start(glue, job, token="a", **PATHS)
    with pytest.raises(JobArgumentError, match=f"token a belongs to the run {run_id}.*s3://lake/else/.*another token"):
        start(glue, job, token="a", **PATHS | {changed: "s3://lake/else/"})
    assert run_ids(glue, job) == [run_id]


def test_retry_after_a_lost_answer_finds_the_run_that_was_started(url: str, glue: Any, job: str) -> None:
    losing = moto_glue.client("glue", url)

    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url=url)

    losing.meta.events.register("after-call.glue.StartJobRun", lose)
    with pytest.raises(ReadTimeoutError):
        start(losing, job, token="a", **PATHS)
    (started,) = run_ids(glue, job)
    assert start(glue, job, token="a", **PATHS) == started
    assert run_ids(glue, job) == [started]


def test_request_that_boto3_repeats_after_a_lost_answer_starts_no_second_run() -> None:
    with faulty_s3() as server, runs_go_on():
        twice = Config(retries={"mode": "standard", "total_max_attempts": 2})
        glue = moto_glue.client("glue", f"http://127.0.0.1:{server.server.port}", config=twice)
        job = create_job(glue, f"orders-{uuid4()}")
        faults = iter([None, Fault.lost])  # of the search for the token and of the start
        server.choose = lambda: next(faults, None)
        run_id = start(glue, job, token="a", **PATHS)
        assert next(faults, "all met") == "all met"
        assert run_ids(glue, job) == [run_id]


def test_two_starts_at_the_same_moment_are_one_run(url: str, glue: Any, job: str) -> None:
    """The second start takes place when the first one has looked for the token, and found none."""
    second: list[str] = []

    def start_in_between(**_: Any) -> None:
        second.append(start(glue, job, token="a", **PATHS))

    first = moto_glue.client("glue", url)
    first.meta.events.register("before-call.glue.StartJobRun", start_in_between)
    with runs_go_on():
        assert [start(first, job, token="a", **PATHS)] == second
        assert run_ids(glue, job) == second


@pytest.mark.parametrize("token", ["b", None])
def test_job_that_is_busy_with_another_run_is_told(glue: Any, job: str, token: str | None) -> None:
    with runs_go_on():
        run_id = start(glue, job, token="a", **PATHS)
        with pytest.raises(JobBusyError, match=rf"The job {job} runs as often at once as it may"):
            start(glue, job, token=token, **PATHS)
        assert run_ids(glue, job) == [run_id]


@pytest.mark.parametrize("token", ["a", None])
def test_job_that_is_not_there_is_named(glue: Any, token: str | None) -> None:
    with pytest.raises(JobNotFoundError, match="There is no Glue job nothing in this account and region"):
        start(glue, "nothing", token=token, **PATHS)


@pytest.mark.parametrize("location", ["", "raw/", "s3://", "s3://lake", "s3:///raw/", "s3://lake/a b"])
@pytest.mark.parametrize("of", ["input_path", "output_path"])
def test_location_that_is_none_starts_nothing(glue: Any, job: str, of: str, location: str) -> None:
    with pytest.raises(JobArgumentError, match="is not a location"):
        start(glue, job, **PATHS | {of: location})
    assert run_ids(glue, job) == []


@pytest.mark.parametrize("token", ["", "  "])
def test_empty_token_starts_nothing(glue: Any, job: str, token: str) -> None:
    with pytest.raises(JobArgumentError, match="token is empty"):
        start(glue, job, token=token, **PATHS)
    assert run_ids(glue, job) == []


def test_wait_looks_every_30_seconds_through_every_state_of_a_run(glue: Any, job: str) -> None:
    states = ("WAITING", "STARTING", "RUNNING", "STOPPING", "SUCCEEDED")
    run_id = put_run(job, *states, ExecutionTime=95)
    clock, seen = Clock(), list[str]()
    done = await_end(glue, job, run_id, clock, progress=seen.append)
    assert (done.job, done.run_id, done.seconds) == (job, run_id, 95)
    assert seen == list(states)
    assert clock.waits == [30.0] * 4


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_end_without_success_is_told_with_the_reason_of_the_run(glue: Any, job: str, state: str) -> None:
    run_id = put_run(job, "RUNNING", state, ErrorMessage="No space left on device", CompletedOn=None)
    with pytest.raises(JobFailedError, match=rf"{run_id} of the job {job} ended as {state}: No space left on device$"):
        await_end(glue, job, run_id)


def test_end_that_is_not_known_yet_is_an_end(glue: Any, job: str) -> None:
    run_id = put_run(job, "RUNNING", "EVICTED", ErrorMessage="Moved")
    with pytest.raises(JobFailedError, match="ended as EVICTED: Moved"):
        await_end(glue, job, run_id)


def test_state_that_is_not_known_yet_goes_on(glue: Any, job: str) -> None:
    run_id = put_run(job, "PREPARING", "SUCCEEDED", CompletedOn=None)
    assert await_end(glue, job, run_id).run_id == run_id


def test_end_without_a_reason_names_the_log(glue: Any, job: str) -> None:
    run_id = put_run(job, "STOPPED")
    with pytest.raises(JobFailedError, match="Glue gives no reason; its log group is test/log"):
        await_end(glue, job, run_id)
    run_id = put_run(job, "EXPIRED", StateDetail="Queued for too long")
    with pytest.raises(JobFailedError, match="ended as EXPIRED: Queued for too long"):
        await_end(glue, job, run_id)


def test_wait_gives_up_after_30_minutes_and_leaves_the_run(glue: Any, job: str) -> None:
    run_id = put_run(job, "RUNNING", Timeout=480)
    clock = Clock()
    with pytest.raises(JobUnfinishedError) as gave_up:
        await_end(glue, job, run_id, clock)
    assert clock.waits == [30.0] * 60
    assert f"The run {run_id} of the job {job} is still RUNNING after 30 minutes. It runs on" in str(gave_up.value)
    assert "its own time-out, 480 minutes" in str(gave_up.value)
    assert f"aws glue get-job-run --job-name '{job}' --run-id {run_id}" in str(gave_up.value)
    assert glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]["JobRunState"] == "RUNNING"


def test_end_at_the_last_look_counts(glue: Any, job: str) -> None:
    in_time = put_run(job, *["RUNNING"] * 3, "SUCCEEDED")
    clock = Clock()
    assert await_end(glue, job, in_time, clock, give_up_after=75).run_id == in_time
    assert clock.waits == [30, 30, 15]
    too_late = put_run(job, *["RUNNING"] * 4, "SUCCEEDED")
    with pytest.raises(JobUnfinishedError):
        await_end(glue, job, too_late, give_up_after=75)


def test_time_that_requests_take_counts_among_the_30_minutes(glue: Any, job: str) -> None:
    clock = Clock(a_request=7)
    with pytest.raises(JobUnfinishedError):
        await_end(glue, job, put_run(job, "RUNNING"), clock)
    assert max(clock.waits) == 30
    assert clock.waits[-1] < 30
    assert clock.now - 1000 <= 30 * 60 + 2 * 7


def test_wait_of_a_broken_off_start_can_go_on(glue: Any, job: str) -> None:
    with runs_go_on():
        run_id = start(glue, job, token="a", **PATHS)
        with pytest.raises(JobUnfinishedError):
            await_end(glue, job, run_id, give_up_after=0)
    assert await_end(glue, job, start(glue, job, token="a", **PATHS)).run_id == run_id


def test_run_or_job_that_is_not_there_is_told(glue: Any, job: str) -> None:
    for name in (job, "nothing"):
        with pytest.raises(JobNotFoundError, match=f"no run jr_1 of the job {name}"):
            await_end(glue, name, "jr_1")


@pytest.fixture
def process(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs `datalake process` and returns how it ended and what it printed."""
    monkeypatch.setenv("DATALAKE_BUCKET", "lake")
    return partial(moto_glue.Command(url, monkeypatch, capsys), "process")


def test_command_awaits_the_run_of_a_token(glue: Any, job: str, process: Any) -> None:
    code, out, _ = process(job, "--token", "a")
    (run_id,) = run_ids(glue, job)
    assert code == 0
    assert out == f"Run {run_id} of {job}.\nIt succeeded after 123 seconds.\n"
    assert process(job, "--token", "a") == (0, out, "")
    described = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]["Arguments"]
    assert (described["--INPUT_PATH"], described["--OUTPUT_PATH"]) == ("s3://lake/raw/", "s3://lake/curated_db/")


def test_command_that_does_not_wait_leaves_the_run(glue: Any, job: str, process: Any) -> None:
    with runs_go_on():
        code, out, _ = process(
            job, "--no-wait", "--input-path", "s3://a/b/", "--output-path", "s3://c/d/", DATALAKE_BUCKET=""
        )
        assert (code, out) == (0, f"Run {run_ids(glue, job)[0]} of {job}.\n")
        assert glue.get_job_runs(JobName=job)["JobRuns"][0]["Arguments"]["--OUTPUT_PATH"] == "s3://c/d/"


def test_command_ends_with_1_where_the_run_fails_or_is_not_at_its_end(job: str, process: Any) -> None:
    put_run(
        job, "FAILED", Arguments=arguments("a") | {"--OUTPUT_PATH": "s3://lake/curated_db/"}, ErrorMessage="No disk"
    )
    code, _, said = process(job, "--token", "a")
    assert code == 1
    assert said.startswith("datalake: The run jr_")
    assert said.endswith(f"of the job {job} ended as FAILED: No disk\n")
    with runs_go_on():
        code, _, said = process(job, "--timeout", "0")
        assert code == 1
        assert "is still STARTING after 0 minutes. It runs on" in said


def test_command_says_what_is_missing(process: Any) -> None:
    assert process("nothing")[2].startswith("datalake: There is no Glue job nothing")
    assert process("nothing", DATALAKE_BUCKET="")[2].startswith(
        "datalake: The lake's bucket is not named. Set DATALAKE_BUCKET, or give --input-path and"
    )
