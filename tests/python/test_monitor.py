"""The state of each alert, from runs, queries and figures that a test makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import moto_glue
import pytest
from botocore.stub import Stubber
from moto_glue import create_job, put_run

from datalake.alerts import Alert, load_alerts
from datalake.cost import TB
from datalake.monitor import Finding, State, Watched, evaluate, job_names

NOW = datetime(2024, 1, 16, 2, 10, tzinfo=UTC)
ALERTS = {alert.name: alert for alert in load_alerts()}
OK, ALARM, NO_DATA = State.ok, State.alarm, State.insufficient_data
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_glue.moto_server() as address:
        yield address


@pytest.fixture(scope="module")
def glue(url: str) -> Any:
    return moto_glue.client("glue", url)


@pytest.fixture(scope="module")
def cloudwatch(url: str) -> Any:
    return moto_glue.client("cloudwatch", url)


@pytest.fixture
def job(glue: Any) -> str:
    return create_job(glue, f"datalake-{uuid4()}")


@pytest.fixture
def bucket() -> str:
    return f"lake-{uuid4()}"


def look(alert: str | Alert, now: datetime = NOW, watched: Watched | None = None, **clients: Any) -> Finding:
    """Evaluate one alert of one resource, with no other clients than it may use."""
    clients = dict.fromkeys(("cloudwatch", "glue", "athena")) | clients
    declared = ALERTS[alert] if isinstance(alert, str) else alert
    (finding,) = evaluate([declared], watched or Watched(), now=now, **clients)
    return finding


def put_successes(job: str, *seconds: float, before: datetime = NOW - DAY) -> None:
    """Give a job a successful run each hour before then, the newest first."""
    for hours, each in enumerate(seconds, 1):
        begun = before - hours * HOUR
        put_run(job, StartedOn=begun, CompletedOn=begun + timedelta(seconds=each), ExecutionTime=int(each))


def put_last(job: str, seconds: int, state: str = "SUCCEEDED", **figures: Any) -> str:
    """Give a job its last run, which ended an hour ago."""
    ended = NOW - HOUR
    figures = {"CompletedOn": ended, "StartedOn": ended - timedelta(seconds=seconds)} | figures
    return put_run(job, state, ExecutionTime=seconds, **figures)


@pytest.mark.parametrize(("seconds", "state"), [(1, OK), (120, OK), (121, ALARM), (900, ALARM)])
def test_run_over_twice_the_median_is_an_alarm(glue: Any, job: str, seconds: int, state: State) -> None:
    """The mean would be 194 s, and no run here an alarm but the last."""
    run_id = put_last(job, seconds)
    put_successes(job, 50, 55, 60, 65, 740)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured, finding.resource) == (state, seconds / 60, job)
    assert finding.since == (NOW - HOUR - timedelta(seconds=seconds) if state is ALARM else None)
    assert finding.detail == f"{run_id} SUCCEEDED, {seconds} s; the median of 5 runs before is 60 s."


def test_baseline_is_of_the_last_20_successful_runs_before(glue: Any, job: str) -> None:
    put_last(job, 201)
    for _ in range(30):
        put_run(job, "FAILED", StartedOn=NOW - DAY - HOUR, CompletedOn=NOW - DAY, ExecutionTime=1)
    put_successes(job, *[100] * 20, *[9000] * 200)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (ALARM, 2.01)


def test_job_that_runs_once_a_month_has_a_baseline(glue: Any, job: str) -> None:
    put_last(job, 201)
    for month in range(1, 6):
        for state in (*["FAILED"] * 5, "SUCCEEDED"):
            begun = NOW - month * 30 * DAY
            put_run(job, state, StartedOn=begun, CompletedOn=begun + HOUR, ExecutionTime=100)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (ALARM, 2.01)


def test_no_later_run_is_part_of_the_baseline(glue: Any, job: str) -> None:
    for hour in range(1, 6):
        put_last(job, 1000, CompletedOn=NOW - hour * HOUR, StartedOn=NOW - (hour + 1) * HOUR)
    put_successes(job, *[100] * 9)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert finding.measured == 10
    assert finding.since == NOW - 6 * HOUR


@pytest.mark.parametrize(("successes", "state"), [(4, NO_DATA), (5, ALARM)])
def test_fewer_runs_than_the_minimum_are_no_baseline(glue: Any, job: str, successes: int, state: State) -> None:
    put_last(job, 1000)
    put_run(job, "FAILED", StartedOn=NOW - 2 * DAY, CompletedOn=NOW - DAY - HOUR, ExecutionTime=100)
    put_successes(job, *[100] * successes)
    for missing in ("missing", "notBreaching", "breaching"):
        alert = ALERTS["glue_job_duration"].model_copy(update={"treat_missing_data": missing})
        finding = look(alert, glue=glue, watched=Watched(jobs=(job,)))
        assert finding.state is state
        assert (finding.measured is None, "Not enough runs yet" in finding.detail) == (successes < 5, successes < 5)


def test_runs_without_a_length_are_no_baseline(glue: Any, job: str) -> None:
    put_last(job, 10)
    put_successes(job, *[0] * 9)
    assert look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,))).state is NO_DATA


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "TIMEOUT"])
def test_long_run_without_success_is_an_alarm_too(glue: Any, job: str, state: str) -> None:
    put_last(job, 300, state)
    put_successes(job, *[100] * 9)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (ALARM, 3)


@pytest.mark.parametrize(
    ("run_state", "age", "state", "measured"),
    [
        ("RUNNING", 3 * DAY, ALARM, 2592),
        ("STOPPING", 3 * DAY, ALARM, 2592),
        ("RUNNING", timedelta(seconds=200), OK, 2),
        ("STARTING", HOUR, NO_DATA, None),
        ("WAITING", HOUR, NO_DATA, None),
    ],
)
def test_run_that_hangs_is_an_alarm_before_its_end(
    glue: Any, job: str, run_state: str, age: timedelta, state: State, measured: float | None
) -> None:
    """Also one that began before the period; one that is only waiting consumes nothing yet."""
    put_run(job, run_state, StartedOn=NOW - age, ExecutionTime=0)
    put_successes(job, *[100] * 9, before=NOW - 4 * DAY)
    finding = look("glue_job_duration", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (state, measured)


@pytest.mark.parametrize(("missing", "state"), [("missing", NO_DATA), ("notBreaching", OK), ("breaching", ALARM)])
def test_job_that_did_not_run_has_no_data(glue: Any, job: str, missing: str, state: State) -> None:
    put_successes(job, *[100] * 9, before=NOW - DAY)
    alert = ALERTS["glue_job_duration"].model_copy(update={"treat_missing_data": missing})
    finding = look(alert, glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured, finding.detail) == (state, None, "No run in 24 hours.")


@pytest.mark.parametrize(("seconds", "state"), [(3600, OK), (3601, ALARM)])
def test_dpu_hours_of_all_jobs_over_the_budget_are_an_alarm(glue: Any, job: str, seconds: int, state: State) -> None:
    """7 DPU hours of this job; 2 of Flex, as Glue counts them; 1 or a little more of the last run."""
    other = create_job(glue, f"datalake-{uuid4()}")
    last = put_last(job, seconds, MaxCapacity=1.0, AllocatedCapacity=1)
    put_last(job, 3600, MaxCapacity=7.0, AllocatedCapacity=7, CompletedOn=NOW - 2 * HOUR)
    put_last(other, 3600, MaxCapacity=9.0, DPUSeconds=7200.0, CompletedOn=NOW - 3 * HOUR)
    put_last(other, 3600, MaxCapacity=9.0, CompletedOn=NOW - DAY - timedelta(seconds=1))
    finding = look("glue_dpu_hours", glue=glue, watched=Watched(jobs=(other, job)))
    assert (finding.state, finding.resource) == (state, "all jobs")
    assert finding.measured == pytest.approx(9 + seconds / 3600, abs=1e-9)
    assert finding.since == (NOW - HOUR if state is ALARM else None)
    assert finding.detail.startswith(f"3 runs in 24 hours, most of it {job} with 8")
    assert last


def test_alarm_of_the_budget_began_with_the_run_that_passed_it(glue: Any, job: str) -> None:
    for hours in range(1, 4):
        put_last(job, 3600, MaxCapacity=6.0, CompletedOn=NOW - hours * HOUR)
    finding = look("glue_dpu_hours", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.measured, finding.since) == (18, NOW - 2 * HOUR)


def test_dpu_hours_of_a_small_python_shell_are_counted(glue: Any, job: str) -> None:
    put_last(job, 7200, MaxCapacity=0.0625, AllocatedCapacity=0)
    put_last(job, 3600, MaxCapacity=None, AllocatedCapacity=2)
    assert look("glue_dpu_hours", glue=glue, watched=Watched(jobs=(job,))).measured == 2.125


def test_dpu_hours_of_a_run_in_work_count_so_far(glue: Any, job: str) -> None:
    put_run(job, "RUNNING", StartedOn=NOW - 30 * HOUR, ExecutionTime=0, MaxCapacity=10.0)
    put_run(job, "WAITING", StartedOn=NOW - 30 * HOUR, ExecutionTime=0, MaxCapacity=10.0)
    finding = look("glue_dpu_hours", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (ALARM, 300)


def test_day_without_runs_consumed_nothing(glue: Any, job: str) -> None:
    finding = look("glue_dpu_hours", glue=glue, watched=Watched(jobs=(job,)))
    assert (finding.state, finding.measured) == (OK, 0)


@pytest.mark.parametrize("alert", ["glue_job_duration", "glue_dpu_hours"])
def test_job_that_is_not_there_is_told(glue: Any, alert: str) -> None:
    finding = look(alert, glue=glue, watched=Watched(jobs=("nothing",)))
    assert (finding.state, finding.measured) == (NO_DATA, None)
    assert finding.detail.startswith("Glue has no job of th")


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_that_nothing_is_watched_for_is_told(alert: str) -> None:
    finding = look(alert)
    assert (finding.state, finding.resource) == (NO_DATA, "none")
    assert finding.detail.endswith("to watch.")


def test_jobs_are_found_by_the_beginning_of_their_names(glue: Any) -> None:
    names = {create_job(glue, f"{prefix}{number}") for prefix in ("alike-", "other-alike-") for number in range(60)}
    assert set(job_names(glue, "alike-")) == {name for name in names if name.startswith("alike-")}


def scans(*scanned: tuple[int, timedelta], state: str = "SUCCEEDED") -> Any:
    """Return a client of Athena whose history is these statements, by bytes and age: nobody scans a TB for a test."""
    client = moto_glue.client("athena", "http://localhost")
    stub = Stubber(client)
    ids = [f"q{number}" for number in range(len(scanned))]
    listed = {"QueryExecutionIds": ids} if ids else {}
    stub.add_response("list_query_executions", listed, {"WorkGroup": "datalake-dbt"})
    if ids:
        stub.add_response(
            "batch_get_query_execution",
            {
                "QueryExecutions": [
                    {
                        "QueryExecutionId": query,
                        "Status": {"State": state, "SubmissionDateTime": NOW - age},
                        "Statistics": {"DataScannedInBytes": size},
                    }
                    for query, (size, age) in zip(ids, scanned, strict=True)
                ]
            },
            {"QueryExecutionIds": ids},
        )
    stub.activate()
    return client


DBT = Watched(workgroups=("datalake-dbt",))


@pytest.mark.parametrize(("most", "state"), [(TB - 1, OK), (TB, OK), (TB + 1, ALARM)])
@pytest.mark.parametrize("ended", ["SUCCEEDED", "CANCELLED", "FAILED", "RUNNING"])
def test_query_over_a_tb_is_an_alarm(most: int, state: State, ended: str) -> None:
    """No sum of queries is: those of a day together scanned more than a TB in each case."""
    athena = scans((5, HOUR), (most, 2 * HOUR), (TB - 2, 3 * HOUR), state=ended)
    finding = look("athena_scanned_bytes", athena=athena, watched=DBT)
    assert (finding.state, finding.measured, finding.resource) == (state, most, "datalake-dbt")
    assert finding.since == (NOW - 2 * HOUR if state is ALARM else None)
    assert finding.detail == "q1 scanned most of 3 statements."


def test_query_before_the_period_counts_no_more() -> None:
    """Athena's history is read from 5 minutes before, since clocks differ."""
    athena = scans((5, HOUR), (2 * TB, DAY + timedelta(seconds=1)))
    finding = look("athena_scanned_bytes", athena=athena, watched=DBT)
    assert (finding.state, finding.measured) == (OK, 5)


def test_first_of_several_large_queries_is_when_the_alarm_began() -> None:
    athena = scans((2 * TB, HOUR), (3 * TB, 4 * HOUR), (2 * TB, 5 * HOUR))
    finding = look("athena_scanned_bytes", athena=athena, watched=DBT)
    assert (finding.measured, finding.since) == (3 * TB, NOW - 5 * HOUR)


def test_day_without_queries_is_no_breach() -> None:
    finding = look("athena_scanned_bytes", athena=scans(), watched=DBT)
    assert (finding.state, finding.measured, finding.detail) == (OK, None, "No statement in 24 hours.")


def test_workgroup_that_is_not_there_is_told() -> None:
    client = moto_glue.client("athena", "http://localhost")
    with Stubber(client) as stub:
        stub.add_client_error(
            "list_query_executions", "InvalidRequestException", "WorkGroup datalake-dbt is not found."
        )
        finding = look("athena_scanned_bytes", athena=client, watched=DBT)
    assert (finding.state, finding.detail) == (NO_DATA, "WorkGroup datalake-dbt is not found.")


def put(cloudwatch: Any, namespace: str, at: datetime, dimensions: dict[str, str], **figures: float) -> None:
    """Put figures at a time, by the names of their metrics, in which _ stands for a dot."""
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name.removeprefix("n").replace("_", "."),
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                "Timestamp": at,
                "Value": value,
            }
            for name, value in figures.items()
        ],
    )


def put_requests(cloudwatch: Any, bucket: str, at: datetime, requests: float | None, **errors: float) -> None:
    of = {"BucketName": bucket, "FilterId": "EntireBucket"}
    all_requests = {} if requests is None else {"AllRequests": requests}
    put(cloudwatch, "AWS/S3", at, of, **{f"n{key[1:]}": value for key, value in errors.items()}, **all_requests)


IN_LAST_HOUR = (datetime(2024, 1, 16, 1, 5, tzinfo=UTC), datetime(2024, 1, 16, 1, 59, tzinfo=UTC))
"""In the last whole hour before NOW."""


@pytest.mark.parametrize(
    ("errors_4xx", "errors_5xx", "state"), [(0, 0, OK), (6, 4, OK), (7, 4, ALARM), (6, 5, ALARM), (11, 0, ALARM)]
)
def test_more_than_1_percent_of_requests_failed_is_an_alarm(
    cloudwatch: Any, bucket: str, errors_4xx: int, errors_5xx: int, state: State
) -> None:
    first, second = IN_LAST_HOUR
    put_requests(cloudwatch, bucket, first, 900, e4xxErrors=errors_4xx, e5xxErrors=0)
    put_requests(cloudwatch, bucket, second, 100, e4xxErrors=0, e5xxErrors=errors_5xx)
    finding = look("s3_request_errors", cloudwatch=cloudwatch, watched=Watched(buckets=(bucket,)))
    assert (finding.state, finding.measured) == (state, (errors_4xx + errors_5xx) / 1000)
    assert finding.since == (datetime(2024, 1, 16, 1, tzinfo=UTC) if state is ALARM else None)
    assert finding.detail == (
        f"From 2024-01-16 01:00 to 02:00 UTC: errors_4xx {errors_4xx}, errors_5xx {errors_5xx}, requests 1,000."
    )


def test_errors_that_cloudwatch_has_no_figures_of_are_none(cloudwatch: Any, bucket: str) -> None:
    put_requests(cloudwatch, bucket, IN_LAST_HOUR[0], 100, e5xxErrors=2)
    finding = look("s3_request_errors", cloudwatch=cloudwatch, watched=Watched(buckets=(bucket,)))
    assert (finding.state, finding.measured) == (ALARM, 0.02)


@pytest.mark.parametrize(("missing", "state"), [("missing", NO_DATA), ("notBreaching", OK), ("breaching", ALARM)])
def test_bucket_without_figures_has_no_data(cloudwatch: Any, bucket: str, missing: str, state: State) -> None:
    put_requests(cloudwatch, bucket, IN_LAST_HOUR[0] - HOUR, 100, e5xxErrors=100)
    put_requests(cloudwatch, f"{bucket}-of-another", IN_LAST_HOUR[0], 100, e5xxErrors=100)
    alert = ALERTS["s3_request_errors"].model_copy(update={"treat_missing_data": missing})
    finding = look(alert, cloudwatch=cloudwatch, watched=Watched(buckets=(bucket,)))
    assert (finding.state, finding.measured) == (state, None)
    assert finding.detail.endswith("CloudWatch has no figures.")


def test_alarm_began_with_the_first_of_the_hours_in_a_row(cloudwatch: Any, bucket: str) -> None:
    for back, errors in enumerate([2, 5, 2, 1, 2]):
        put_requests(cloudwatch, bucket, IN_LAST_HOUR[0] - back * HOUR, 100, e5xxErrors=errors)
    finding = look("s3_request_errors", cloudwatch=cloudwatch, watched=Watched(buckets=(bucket,)))
    assert (finding.measured, finding.since) == (0.02, datetime(2024, 1, 15, 23, tzinfo=UTC))


def test_hour_counts_when_it_is_over_and_its_figures_are_there(cloudwatch: Any, bucket: str) -> None:
    first = datetime(2024, 1, 16, 1, tzinfo=UTC)
    put_requests(cloudwatch, bucket, first, 100, e5xxErrors=3)
    put_requests(cloudwatch, bucket, first + HOUR - timedelta(seconds=1), 100, e5xxErrors=3)
    put_requests(cloudwatch, bucket, first + HOUR, 100, e5xxErrors=90)

    def measured(now: datetime) -> float | None:
        watched = Watched(buckets=(bucket,))
        return look("s3_request_errors", now, cloudwatch=cloudwatch, watched=watched).measured

    assert measured(first + HOUR + timedelta(minutes=4)) is None
    assert measured(first + HOUR + timedelta(minutes=5)) == 0.03
    assert measured(first + 2 * HOUR + timedelta(minutes=4)) == 0.03
    assert measured(first + 2 * HOUR + timedelta(minutes=5)) == 0.9


@pytest.mark.parametrize(("failed", "state"), [(0, OK), (1, OK), (2, ALARM), (100, ALARM)])
def test_less_than_99_percent_of_deliveries_succeeded_is_an_alarm(cloudwatch: Any, failed: int, state: State) -> None:
    stream = f"events-stream-{uuid4()}"
    first, second = IN_LAST_HOUR
    put(cloudwatch, "AWS/Firehose", second + HOUR, {"DeliveryStreamName": stream}, DeliveryToS3_Success=0)
    for number in range(100):
        at = first if number % 3 else second
        put(cloudwatch, "AWS/Firehose", at, {"DeliveryStreamName": stream}, DeliveryToS3_Success=number >= failed)
    finding = look("firehose_delivery_success", cloudwatch=cloudwatch, watched=Watched(streams=(stream,)))
    assert (finding.state, finding.measured) == (state, 1 - failed / 100)


def test_stream_without_deliveries_has_no_data(cloudwatch: Any) -> None:
    finding = look("firehose_delivery_success", cloudwatch=cloudwatch, watched=Watched(streams=("nothing",)))
    assert (finding.state, finding.measured) == (NO_DATA, None)


@pytest.fixture
def monitor(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs `datalake monitor` and returns how it ended and what it printed."""
    return partial(moto_glue.Command(url, monkeypatch, capsys), "monitor")


def test_command_ends_with_1_where_an_alert_is_in_alarm(job: str, bucket: str, monitor: Any) -> None:
    """The budget alone decides here: the job's one run consumed 11 DPU hours, just now."""
    now = datetime.now(UTC)
    put_run(job, StartedOn=now - HOUR, CompletedOn=now, ExecutionTime=3600, MaxCapacity=11.0)
    options = ("--job", job, "--bucket", bucket, "--workgroup", "primary")
    code, out, _ = monitor(*options)
    assert code == 1
    assert "ALARM" in out
    assert "glue_dpu_hours of all jobs: 1 runs in 24 hours" in out
    assert ALERTS["glue_dpu_hours"].remedy in out
    code, out, _ = monitor(*options, DATALAKE_DPU_HOURS="11")
    assert code == 0
    assert "ALARM" not in out
    assert f"glue_job_duration of {job}: Not enough runs yet" in out


def test_command_gives_the_findings_as_json(job: str, bucket: str, monitor: Any) -> None:
    code, out, _ = monitor("--job-prefix", job, "--json", "--workgroup", "primary", DATALAKE_BUCKET=bucket)
    findings = json.loads(out)
    assert code == 0
    assert [(each["alert"], each["resource"], each["state"]) for each in findings] == [
        ("glue_job_duration", job, "INSUFFICIENT_DATA"),
        ("glue_dpu_hours", "all jobs", "OK"),
        ("athena_scanned_bytes", "primary", "OK"),
        ("s3_request_errors", bucket, "INSUFFICIENT_DATA"),
        ("firehose_delivery_success", "events-stream", "INSUFFICIENT_DATA"),
    ]
    assert findings[1] == {
        "alert": "glue_dpu_hours",
        "component": "Glue jobs",
        "resource": "all jobs",
        "state": "OK",
        "measured": 0.0,
        "comparison": "GreaterThanThreshold",
        "threshold": 10.0,
        "unit": "DPU hours",
        "since": None,
        "detail": findings[1]["detail"],
        "remedy": ALERTS["glue_dpu_hours"].remedy,
    }


def test_command_says_that_no_job_has_such_a_name(bucket: str, monitor: Any) -> None:
    code, out, _ = monitor("--job-prefix", "nothing-", "--bucket", bucket, "--workgroup", "primary")
    assert code == 0
    assert "glue_job_duration of none: There is no job to watch." in out
    assert "No Glue job's name begins with nothing-; name others by --job or --job-prefix." in out


def test_command_needs_the_bucket(monitor: Any) -> None:
    code, _, said = monitor(DATALAKE_BUCKET="")
    assert (code, said) == (
        1,
        "datalake: The lake's bucket is not named. Set DATALAKE_BUCKET, or give --bucket.\n",
    )
