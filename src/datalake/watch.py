"""The Lambda function `handle`: measures, once an hour, the alerts that CloudWatch can't measure by itself.

What it measures becomes figures of CloudWatch, one of each alert and resource, on which the infrastructure has alarms
with the thresholds of `alerts.yml`. So CloudWatch keeps the state and tells a change once. The log has the details.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from datalake.alerts import load_alerts
from datalake.aws import client, errors_told
from datalake.monitor import Finding, Watched, evaluate
from datalake.settings import required

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

NAMESPACE = "Datalake"

logger = Logger(service="datalake")


@logger.inject_lambda_context(clear_state=True)
def handle(event: Any, context: LambdaContext) -> dict[str, int]:  # noqa: ANN401 - of a schedule, and not looked at
    """Publish what was measured; the answer says how many figures these are.

    Args:
        event: anything.
        context: Lambda's own.

    Raises:
        SettingError: `WATCHED_JOBS`, names of Glue jobs separated by commas, is not set.
        AwsError: AWS could not be reached, or refused a request; Lambda counts it as an error.
    """
    jobs = tuple(required("WATCHED_JOBS").split(","))
    alerts = [alert for alert in load_alerts() if "cloudwatch" not in alert.evaluated_by]
    now = datetime.now(UTC)
    with errors_told():
        cloudwatch = client("cloudwatch")
        findings = evaluate(
            alerts, Watched(jobs=jobs), cloudwatch=cloudwatch, glue=client("glue"), athena=client("athena"), now=now
        )
        for finding in findings:
            logger.info(finding.detail, extra=finding.as_dict())
        measured = [_figure(finding, now) for finding in findings if finding.measured is not None]
        if measured:
            cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=measured)
    return {"measured": len(measured)}


def _figure(finding: Finding, now: datetime) -> dict[str, Any]:
    """Return what was measured as PutMetricData takes it; without a unit, since CloudWatch lacks the alerts' own."""
    return {
        "MetricName": finding.alert.name,
        "Dimensions": [{"Name": "Resource", "Value": finding.resource}],
        "Timestamp": now,
        "Value": finding.measured,
    }
