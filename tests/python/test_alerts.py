"""The declaration of the alerts: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from datalake.alerts import Alert, load_alerts
from datalake.errors import DeclarationError

ALERTS = {alert.name: alert for alert in load_alerts()}


def test_each_figure_is_the_one_that_is_required() -> None:
    """Component, measured of, comparison, threshold, unit: the table of alerts, row by row."""
    assert [
        (alert.component, alert.measure, alert.comparison, alert.threshold, alert.unit) for alert in ALERTS.values()
    ] == [
        ("Glue jobs", "job_duration", "GreaterThanThreshold", 2, "times the baseline"),
        ("Glue jobs", "dpu_hours", "GreaterThanThreshold", 10, "DPU hours"),
        ("Athena", "scanned_bytes", "GreaterThanThreshold", 2**40, "bytes"),
        ("S3", "metrics", "GreaterThanThreshold", 0.01, "of the requests"),
        ("Firehose", "metrics", "LessThanThreshold", 0.99, "of the deliveries"),
    ]


def test_what_cloudwatch_can_not_do_is_told() -> None:
    by_cloudwatch = {name for name, alert in ALERTS.items() if "cloudwatch" in alert.evaluated_by}
    assert by_cloudwatch == {"athena_scanned_bytes", "s3_request_errors", "firehose_delivery_success"}


@pytest.mark.parametrize("name", ["athena_scanned_bytes", "s3_request_errors", "firehose_delivery_success"])
def test_alarm_of_cloudwatch_is_what_put_metric_alarm_takes(name: str) -> None:
    """As Terraform makes it: each metric, and the expression that the alarm is of."""
    import boto3
    from botocore.stub import Stubber

    alert = ALERTS[name]
    create: Any = boto3.client
    client = create("cloudwatch", region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
    queries = [
        {
            "Id": metric.id,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.metric_name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions.items()],
                },
                "Period": alert.period,
                "Stat": metric.statistic,
            },
        }
        for metric in alert.metrics
    ]
    alarm = {
        "AlarmName": alert.name,
        "AlarmDescription": f"{alert.description} {alert.remedy}",
        "EvaluationPeriods": 1,
        "ComparisonOperator": alert.comparison,
        "Threshold": alert.threshold,
        "TreatMissingData": alert.treat_missing_data,
        "Metrics": [*queries, {"Id": "measured", "Expression": alert.expression, "ReturnData": True}],
    }
    with Stubber(client) as stub:  # checks the request by the service's own model
        stub.add_response("put_metric_alarm", {})
        client.put_metric_alarm(**alarm)
    assert len(str(alarm["AlarmDescription"])) <= 1024


def test_metrics_are_those_that_the_services_send() -> None:
    def metrics(name: str) -> list[tuple[str, str, str, dict[str, str]]]:
        return [(m.namespace, m.metric_name, m.statistic, m.dimensions) for m in ALERTS[name].metrics]

    of_bucket = {"BucketName": "{bucket}", "FilterId": "EntireBucket"}
    assert metrics("s3_request_errors") == [
        ("AWS/S3", "4xxErrors", "Sum", of_bucket),
        ("AWS/S3", "5xxErrors", "Sum", of_bucket),
        ("AWS/S3", "AllRequests", "Sum", of_bucket),
    ]
    assert metrics("firehose_delivery_success") == [
        ("AWS/Firehose", "DeliveryToS3.Success", "Average", {"DeliveryStreamName": "{stream}"})
    ]
    assert metrics("athena_scanned_bytes") == [
        (
            "AWS/Athena",
            "ProcessedBytes",
            "Maximum",
            {"WorkGroup": "{workgroup}", "QueryState": state, "QueryType": "DML"},
        )
        for state in ("SUCCEEDED", "FAILED", "CANCELED")
    ]


@pytest.mark.parametrize(
    ("calculated", "expression", "values"),
    [
        (0.03, "(FILL(a, 0) + FILL(b, 0)) / c", {"a": 2.0, "b": 1.0, "c": 100.0}),
        (0.01, "(FILL(a, 0) + FILL(b, 0)) / c", {"a": None, "b": 1.0, "c": 100.0}),
        (None, "(FILL(a, 0) + FILL(b, 0)) / c", {"a": None, "b": None, "c": None}),
        (None, "a / c", {"a": 0.0, "c": 0.0}),
        (None, "a + b", {"a": 1.0, "b": None}),
        (-4.0, "a - 2 * b", {"a": 2.0, "b": 3.0}),
        (3.0, "MAX([a, b])", {"a": 3.0, "b": None}),
        (None, "MAX([a, b])", {"a": None, "b": None}),
        (0.0, "MAX([FILL(a, 0), FILL(b, 0)])", {"a": None, "b": None}),
    ],
)
def test_expression_is_calculated_as_cloudwatch_does(
    calculated: float | None, expression: str, values: dict[str, float | None]
) -> None:
    alert = ALERTS["s3_request_errors"].model_copy(update={"expression": expression})
    assert alert.calculate(values) == calculated


S3 = {
    "name": "errors",
    "component": "S3",
    "description": "Errors.",
    "remedy": "Look.",
    "evaluated_by": ["monitor", "cloudwatch"],
    "measure": "metrics",
    "resource": "bucket",
    "metrics": [
        {
            "id": "errors",
            "namespace": "AWS/S3",
            "metric_name": "5xxErrors",
            "statistic": "Sum",
            "dimensions": {"BucketName": "{bucket}"},
        }
    ],
    "expression": "errors",
    "comparison": "GreaterThanThreshold",
    "threshold": 5,
    "unit": "errors",
    "period": 60,
    "treat_missing_data": "missing",
}
DURATION: dict[str, Any] = {key: S3[key] for key in S3 if key not in ("metrics", "expression")} | {
    "evaluated_by": ["monitor"],
    "measure": "job_duration",
    "resource": "job",
    "baseline": {"statistic": "median", "runs": 3, "minimum": 2},
}
METRIC: dict[str, Any] = S3["metrics"][0]  # type: ignore[index]


def test_declaration_of_another_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump({"alerts": [S3, DURATION | {"name": "slow"}]}))
    assert [alert.name for alert in load_alerts(file)] == ["errors", "slow"]
    assert isinstance(load_alerts(file)[0], Alert)


@pytest.mark.parametrize(
    ("said", "alert"),
    [
        ("alert errors: threshold: Field required", {k: v for k, v in S3.items() if k != "threshold"}),
        ("alert errors: threshold: Input should be a finite number", S3 | {"threshold": float("nan")}),
        ("alert errors: comparison: Input should be", S3 | {"comparison": ">"}),
        ("alert errors: period: Input should be a multiple of 60", S3 | {"period": 90}),
        ("alert errors: period: Input should be less than or equal to 86400", S3 | {"period": 86460}),
        ("alert errors: treshold: Extra inputs are not permitted", S3 | {"treshold": 5}),
        ("alert errors: treat_missing_data: Input should be", S3 | {"treat_missing_data": "ignore"}),
        ("alert 1: name: Field required", {k: v for k, v in S3.items() if k != "name"}),
        ("alert 1: Input should be a valid dictionary", "errors"),
        ("metrics is not measured of a job", S3 | {"resource": "job"}),
        ("evaluated_by lacks monitor", S3 | {"evaluated_by": ["cloudwatch"]}),
        ("a baseline belongs to job_duration", S3 | {"baseline": DURATION["baseline"]}),
        ("a baseline belongs to job_duration", DURATION | {"baseline": None}),
        (
            "minimum is more than its runs",
            DURATION | {"baseline": {"statistic": "median", "runs": 2, "minimum": 3}},
        ),
        ("alert errors: baseline.statistic:", DURATION | {"baseline": {"statistic": "mean", "runs": 2, "minimum": 1}}),
        ("metrics and expression belong to what CloudWatch measures", S3 | {"metrics": []}),
        ("metrics and expression belong to what CloudWatch measures", S3 | {"expression": None}),
        ("metrics and expression belong to what CloudWatch measures", DURATION | {"expression": "1"}),
        (
            "metrics and expression belong to what CloudWatch measures",
            DURATION | {"evaluated_by": ["monitor", "cloudwatch"]},
        ),
        ("alert errors: metrics.0.id:", S3 | {"metrics": [METRIC | {"id": "Errors"}]}),
        ("the dimension {stream} of errors", S3 | {"metrics": [METRIC | {"dimensions": {"BucketName": "{stream}"}}]}),
        ("faults is no arithmetic, FILL or MAX over the ids errors", S3 | {"expression": "errors + faults"}),
        ("errors ** 2 is no arithmetic", S3 | {"expression": "errors ** 2"}),
        ("AVG([errors]) is no arithmetic", S3 | {"expression": "AVG([errors])"}),
        ("the expression can't be read", S3 | {"expression": "(errors"}),
    ],
)
def test_alert_that_is_not_whole_is_refused_by_its_name_and_field(said: str, alert: Any, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump({"alerts": [alert]}))
    with pytest.raises(DeclarationError) as refused:
        load_alerts(file)
    assert str(refused.value).startswith(f"{file}: alert ")
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"alerts:", b"alerts: {}", b"- alerts", b"alerts: []"])
def test_file_without_alerts_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    file.write_bytes(content)
    with pytest.raises(DeclarationError, match="has no list `alerts`"):
        load_alerts(file)


def test_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    for content in (None, b"\xff", b"alerts: ["):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(DeclarationError, match=f"{file} can't be read"):
            load_alerts(file)


def test_two_alerts_of_a_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump({"alerts": [S3, S3]}))
    with pytest.raises(DeclarationError, match="several alerts of the name errors"):
        load_alerts(file)
