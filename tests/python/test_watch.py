"""The hourly measurement: what CloudWatch can't measure by itself becomes its figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_events import Context
from moto_glue import client, create_job, moto_server, put_run

from datalake import watch
from datalake.errors import AwsError, SettingError

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("WATCHED_JOBS", "datalake-orders,datalake-users")


def figures(url: str) -> dict[tuple[str, str], float]:
    """The greatest value of each figure, by its name and resource."""
    cloudwatch = client("cloudwatch", url)
    found = {}
    for metric in cloudwatch.list_metrics(Namespace=watch.NAMESPACE)["Metrics"]:
        points = cloudwatch.get_metric_statistics(
            Namespace=watch.NAMESPACE,
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime=NOW - timedelta(hours=1),
            EndTime=NOW + timedelta(hours=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        (resource,) = [dimension["Value"] for dimension in metric["Dimensions"]]
        found[metric["MetricName"], resource] = max(point["Maximum"] for point in points)
    return found


def test_measured_alerts_become_figures_of_cloudwatch(url: str) -> None:
    glue = client("glue", url)
    create_job(glue, "datalake-orders")
    for number, seconds in enumerate([1200, 300, 300, 300, 300, 300]):
        started = NOW - timedelta(hours=1 + 24 * number)
        ended = started + timedelta(seconds=seconds)
        run: dict[str, Any] = {"StartedOn": started, "CompletedOn": ended, "ExecutionTime": seconds, "MaxCapacity": 2.0}
        put_run("datalake-orders", **run)
    assert watch.handle({}, Context()) == {"measured": 2}  # type: ignore[arg-type]
    assert figures(url) == {
        ("glue_job_duration", "datalake-orders"): 4.0,
        ("glue_dpu_hours", "all jobs"): pytest.approx(1200 * 2 / 3600),
    }


def test_missing_setting_and_refusal_fail_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(AwsError, match="AWS could not do it"):
        watch.handle({}, Context())  # type: ignore[arg-type]
    monkeypatch.setenv("WATCHED_JOBS", "")
    with pytest.raises(SettingError, match="WATCHED_JOBS is missing"):
        watch.handle({}, Context())  # type: ignore[arg-type]
