"""Landing a feed: records with the times of their arrival become an object an hour, under the raw layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from datalake.encode import Record
from datalake.errors import RecordError
from datalake.layout import raw_key
from datalake.storage import Store


@dataclass(frozen=True)
class Landed:
    """What one landing did: objects written, objects that were there already, records in the new ones."""

    written: int = 0
    present: int = 0
    records: int = 0

    def __add__(self, other: Landed) -> Landed:
        return Landed(self.written + other.written, self.present + other.present, self.records + other.records)


Encode = Callable[[Sequence[Record]], bytes]
"""Makes an object's bytes of the records of one hour."""

Progress = Callable[[int], None]
"""Called with the number of records just passed."""


def _hour(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone; raw folders are UTC hours, so pass an aware datetime")
    return when.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _by_hour(records: Iterable[tuple[datetime, Record]]) -> Iterator[tuple[datetime, list[Record]]]:
    """Yield runs of records of one hour; most records only cost a comparison with the bounds of the last one's."""
    batch: list[Record] = []
    start = end = datetime.min.replace(tzinfo=UTC)
    for when, record in records:
        if when.tzinfo is None or not start <= when < end:
            if batch:
                yield start, batch
            start, batch = _hour(when), []
            end = start + timedelta(hours=1)
        batch.append(record)
    if batch:
        yield start, batch


def land_hourly(
    store: Store,
    dataset: str,
    records: Iterable[tuple[datetime, Record]],
    encode: Encode,
    suffix: str,
    *,
    source: str | None = None,
    progress: Progress = lambda _: None,
) -> Landed:
    """Land records as one object an hour; only an hour is in memory at a time.

    Args:
        store: where to.
        dataset: the raw table.
        records: the aware time at which each arrived, and the record; in the order of arrival, at least by hour.
        encode: makes the object's bytes of an hour's records; `ndjson`, `parquet` or `csv_file`.
        suffix: the file's ending, e.g. `.json.gz`.
        source: the producer, for a data set with several.
        progress: told of the records passed.

    Returns:
        What was written. An hour whose object exists is passed over, so that landing the same records
        twice adds nothing.

    Raises:
        RecordError: an hour comes after a later one; its object would be taken for landed already.
    """
    total = Landed()
    latest = None
    for hour, batch in _by_hour(records):
        if latest is not None and hour < latest:
            raise RecordError(f"A record of {hour:%Y-%m-%d %H}h comes after one of {latest:%H}h; sort them by arrival.")
        latest = hour
        key = raw_key(dataset, hour, suffix, source)
        if not store.exists(key) and store.put_if_absent(key, encode(batch)):
            total += Landed(written=1, records=len(batch))
        else:
            total += Landed(present=1)
        progress(len(batch))
    return total
