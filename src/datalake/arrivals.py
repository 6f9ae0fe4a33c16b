"""Objects as they arrive: the events of S3, out of a queue, lead to the check of each raw object that is new.

An object of the landing zone is brought into the raw layout; the event of its copy leads to the check.

`handle` is the Lambda function behind a queue of SQS. S3 sends its events there itself, or by EventBridge. Both
repeat events and send them in any order, which changes nothing: the ledger has each object once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import S3Event, S3EventBridgeNotificationEvent, SQSEvent
from botocore.exceptions import BotoCoreError, ClientError

from datalake.athena import Athena
from datalake.athena_ledger import AthenaLedger
from datalake.aws import client
from datalake.errors import DatalakeError, EventError
from datalake.landing_zone import LANDING, bring_in
from datalake.ledger import RAW, Arrived, Ledger, check_arrivals
from datalake.settings import required, sources_folder, workgroup
from datalake.sources import RawTable, load_sources
from datalake.storage import S3Store, is_hidden

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="datalake-arrivals", json_serializer=partial(json.dumps, default=str))


class Change(StrEnum):
    """What happened to an object."""

    created = "created"
    removed = "removed"
    other = "other"
    """Its tags, its storage class or the like."""


@dataclass(frozen=True)
class ObjectEvent:
    """An event of S3: what happened to which object."""

    change: Change
    bucket: str
    key: str


_CHANGES = {
    "ObjectCreated": Change.created,
    "ObjectRemoved": Change.removed,
    "LifecycleExpiration": Change.removed,
    "ReducedRedundancyLostObject": Change.removed,
    "Object Created": Change.created,
    "Object Deleted": Change.removed,
}
"""By the names of S3's notifications, up to the colon, and of its events on EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
"""


def read_events(body: str) -> list[ObjectEvent]:
    """Return the events in a message: a notification of S3, or one event of EventBridge; none in S3's test message.

    Args:
        body: the message's text.

    Raises:
        EventError: it is neither.
    """
    try:
        message = json.loads(body)
        if message.get("Event") == "s3:TestEvent":
            return []
        if message.get("source") == "aws.s3":
            sent = S3EventBridgeNotificationEvent(message)
            # The key as it is; Powertools takes it for URL-encoded, which it is in notifications only.
            return [_event(sent.detail_type, sent.detail.bucket.name, sent.detail["object"]["key"])]
        return [
            _event(record.event_name.partition(":")[0], record.s3.bucket.name, unquote_plus(record.s3.get_object.key))
            for record in S3Event(message).records
        ]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise EventError(f"The message is no event of S3: {type(error).__name__}: {error}.") from error


def _event(name: str, bucket: str, key: str) -> ObjectEvent:
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise TypeError("a bucket or a key is no text")
    key.encode()  # S3 has no keys that UTF-8 lacks
    return ObjectEvent(_CHANGES.get(name, Change.other), bucket, key)


@dataclass(frozen=True)
class Taken:
    """What became of a batch of messages.

    Attributes:
        arrived: what became of the raw objects that they name.
        landed: the keys in raw/ of the objects that they name in the landing zone.
        removed: the keys of raw objects that were removed.
        ignored: how many events were of no concern: of other buckets, folders or kinds.
        failed: why a message has to come again, by its id.
    """

    arrived: Arrived
    landed: tuple[str, ...]
    removed: tuple[str, ...]
    ignored: int
    failed: dict[str, Exception]


def take(
    messages: Sequence[SQSRecord], store: S3Store, ledger: Ledger, tables: dict[str, RawTable], now: datetime
) -> Taken:
    """Check the raw objects that a batch of messages tells of, and enter those that are new in one statement.

    What it tells of the landing zone is brought into raw/ first.

    Args:
        messages: the messages, which may tell of an object more than once.
        store: the lake.
        ledger: its ledger, which is there.
        tables: the declared raw tables by name.
        now: the aware time that the entries carry.
    """
    failed: dict[str, Exception] = {}
    events: dict[str, list[ObjectEvent]] = {}
    for message in messages:
        try:
            events[message.message_id] = read_events(message.body)
        except EventError as error:
            failed[message.message_id] = error
    of_concern = {
        message_id: [event for event in each if _is_of_concern(event, store)] for message_id, each in events.items()
    }
    created = {
        message_id: {event.key.removeprefix(store.prefix) for event in each if event.change is Change.created}
        for message_id, each in of_concern.items()
    }
    landed = _land(store, tables, created, failed)
    keys = {message_id: {key for key in named if key.startswith(RAW)} for message_id, named in created.items()}
    arrived = check_arrivals(store, ledger, tables, set().union(*keys.values()), now)
    for message_id, named in keys.items():
        if errors := [arrived.failed[key] for key in sorted(named) if key in arrived.failed]:
            failed[message_id] = errors[0]
    concerning = [event for each in of_concern.values() for event in each]
    return Taken(
        arrived,
        landed,
        removed=tuple(sorted({event.key for event in concerning if event.change is Change.removed})),
        ignored=sum(map(len, events.values())) - len(concerning),
        failed=failed,
    )


def _land(
    store: S3Store, tables: dict[str, RawTable], created: dict[str, set[str]], failed: dict[str, Exception]
) -> tuple[str, ...]:
    """Bring what messages name of the landing zone into raw/, return the keys there, and put errors aside."""
    landed = set()
    for message_id, named in created.items():
        for key in sorted(named):
            if key.startswith(LANDING):
                try:
                    landed.add(bring_in(store, tables, key))
                except (DatalakeError, BotoCoreError, ClientError) as error:
                    failed[message_id] = error
    return tuple(sorted(landed))


def _is_of_concern(event: ObjectEvent, store: S3Store) -> bool:
    return (
        event.change is not Change.other
        and event.bucket == store.bucket
        and event.key.startswith((store.prefix + RAW, store.prefix + LANDING))
        and not is_hidden(event.key)
    )


@logger.inject_lambda_context
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a batch of messages of SQS: the Lambda function.

    The queue's event source needs `ReportBatchItemFailures`: only the messages that failed come again, and go to the
    dead-letter queue when they have failed as often as its redrive policy says.

    Returns:
        `batchItemFailures` for Lambda, and for a person: `landed`, `files`, `rows`, `broken`, `known`, `removed`,
        `ignored` and `failed`, the last with the reason by message.
    """
    messages = list(SQSEvent(event).records)
    store, ledger, tables = _lake()
    try:
        taken = take(messages, store, ledger, tables, datetime.now(UTC))
    except (DatalakeError, BotoCoreError, ClientError, OSError) as error:
        logger.exception("No message of the batch could be taken")
        failed: dict[str, Exception] = {message.message_id: error for message in messages}
        return _answer(failed)
    _tell(taken)
    checked = taken.arrived.checked
    return {
        **_answer(taken.failed),
        "landed": list(taken.landed),
        "files": checked.files,
        "rows": checked.rows,
        "broken": dict(checked.broken),
        "known": len(taken.arrived.known),
        "removed": list(taken.removed),
        "ignored": taken.ignored,
    }


def _answer(failed: dict[str, Exception]) -> dict[str, Any]:
    return {
        "batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed],
        "failed": {message_id: str(error) for message_id, error in failed.items()},
    }


def _tell(taken: Taken) -> None:
    arrived = taken.arrived
    for file, detail in arrived.checked.broken:
        logger.warning("A raw file is broken", file=file, detail=detail)
    for key in taken.removed:
        logger.warning("A raw object was removed", key=key)
    for message_id, error in taken.failed.items():
        logger.error("A message failed", message_id=message_id, error=type(error).__name__, reason=str(error))
    logger.info(
        "Arrivals were checked",
        landed=len(taken.landed),
        files=arrived.checked.files,
        rows=arrived.checked.rows,
        broken=len(arrived.checked.broken),
        known=len(arrived.known),
        removed=len(taken.removed),
        ignored=taken.ignored,
        failed=len(taken.failed),
    )


@cache
def _lake() -> tuple[S3Store, AthenaLedger, dict[str, RawTable]]:
    """Return the lake, made by the first invocation and kept for the next ones."""
    s3 = client("s3")
    store = S3Store(s3, required("RAW_DATA_BUCKET"))
    ledger = AthenaLedger(Athena(client("athena"), s3, workgroup(), store.uri("query-results/")), store)
    ledger.create()
    return store, ledger, load_sources(sources_folder())
