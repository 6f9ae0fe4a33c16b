"""Events as Lambda gets them: of S3, out of a queue; of API Gateway; and what comes beside an event.

Shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4


@dataclass
class Context:
    """What Lambda hands over beside an event."""

    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_name: str = "datalake"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:datalake"
    remaining_ms: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def notification(bucket: str, *keys: str, name: str = "ObjectCreated:Put", size: int = 1) -> dict[str, Any]:
    """Return what S3 sends to a queue itself; keys are URL-encoded there."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2024-01-15T10:00:00.000Z",
                "eventName": name,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": quote_plus(key, safe="/"), "size": size, "sequencer": "0A1B2C3D4E5F678901"},
                },
            }
            for key in keys
        ]
    }


def event_of_event_bridge(bucket: str, key: str, kind: str = "Object Created") -> dict[str, Any]:
    """Return what S3 sends by EventBridge; the key is as it is there."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": kind,
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2024-01-15T10:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1, "sequencer": "0A1B2C3D4E5F678901"},
            "reason": "PutObject",
        },
    }


TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2024-01-15T10:00:00.000Z",
    "Bucket": "lake",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}


def queue_event(bodies: Iterable[dict[str, Any] | str]) -> dict[str, Any]:
    """Return a batch of messages; the ids count from m1."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:arrivals",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def api_event(body: str | None, version: str = "2.0", is_base64: bool = False) -> dict[str, Any]:
    """Return what a REST API (1.0) or an HTTP API (2.0) of API Gateway hands over."""
    event: dict[str, Any] = {
        "version": version,
        "headers": {"content-type": "application/json"},
        "body": body,
        "isBase64Encoded": is_base64,
    }
    if version == "1.0":
        more = {"httpMethod": "POST", "path": "/", "resource": "/", "requestContext": {"requestId": str(uuid4())}}
    else:
        more = {"routeKey": "POST /", "rawPath": "/", "requestContext": {"requestId": "JKJaXmPLvHcESHA="}}
    return event | more
