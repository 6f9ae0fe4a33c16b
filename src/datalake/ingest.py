"""Ingestion: the records of a batch become immutable objects under the raw layout, once, however often it is tried.

The first try leaves a receipt, `batches/{dataset}/[source={source}/]{batch}.json`, before any object: when the batch
arrived and what it holds. A try that comes later, after a kill or beside the first one, takes the time from there, so
that it names the same objects, and none of them is written over.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO, cast

import orjson

from datalake.encode import JSON_LINES, Encoding, Record, encoding_of, json_line
from datalake.errors import BatchError, RecordError, SourceError
from datalake.inspect import LONGEST_LINE
from datalake.layout import batch_key, raw_folder
from datalake.sources import RawTable
from datalake.storage import About, Store

BATCHES = "batches/"
REJECTS = "rejects/"

OBJECT_BYTES = 512 << 20
"""Bytes of rows, before they are packed, after which a batch goes on in another object."""

_TOGETHER = 200
"""Records that are encoded together."""

_BLOCK = 1 << 20
"""Bytes of rows that are packed at once."""

_IN_MEMORY = 1 << 20
"""Bytes of an object that wait in memory; beyond, on disk."""


class Unfit(StrEnum):
    """What becomes of a record that can't be landed."""

    stop = "stop"
    """An error names it by its position, and nothing of the batch is written."""

    reject = "reject"
    """It goes to `rejects/`, with its position and the reason, and the rest is landed."""


@dataclass(frozen=True)
class Ingested:
    """What became of a batch.

    Attributes:
        batch: its name.
        arrived: when it arrived, UTC: the hour of its folder.
        keys: its objects, those that were there already among them.
        written: how many of them this try has written.
        records: the records in them.
        rejected: the records that were unfit.
        rejects_key: the object that holds those, or None.
    """

    batch: str
    arrived: datetime
    keys: tuple[str, ...]
    written: int
    records: int
    rejected: int
    rejects_key: str | None


def ingest(
    store: Store,
    table: RawTable,
    records: Iterable[Record | bytes],
    *,
    batch: str | None = None,
    source: str | None = None,
    now: datetime | None = None,
    unfit: Unfit = Unfit.stop,
    object_bytes: int = OBJECT_BYTES,
    progress: Callable[[int], Any] = lambda records: None,
) -> Ingested:
    """Land the records of a batch in the folder of the hour in which it arrives.

    Nothing is written before the last record was seen; until then what is packed waits on disk, so that memory does
    not grow with the batch.

    Args:
        store: the lake.
        table: the raw table, as its source YAML declares it; it decides the format of the files.
        records: objects with text keys, or lines of JSON in bytes, which a JSON data set keeps as they are written.
        batch: its name, by which a retry is known; by default, what it holds names it, so that the same records
            again are taken for a retry.
        source: the producer, where the data set has several.
        now: the aware time of arrival, if this is the first try; by default this machine's.
        unfit: what becomes of a record that is no object, holds what the format can't, or is over 2,000,000 bytes.
        object_bytes: bytes of rows, before they are packed, after which the batch goes on in another object.
        progress: told how many records were read, now and then.

    Raises:
        RecordError: a record is unfit, and `unfit` is stop; nothing is written.
        SourceError: the source is missing, or one too many.
        BatchError: the name is no name, or other records were ingested under it.
    """
    now = now or datetime.now(UTC)
    _check_names(table, batch, source, now)
    now = now.astimezone(UTC)
    encoding = encoding_of(table)
    with ExitStack() as spools:
        objects, rejects = _spool(encoding, records, unfit, object_bytes, progress, spools)
        digest = hashlib.sha256(b"".join(each.digest.digest() for each in [*objects, rejects])).hexdigest()
        batch = batch or digest[:32]
        arrived = _claim(store, table, batch, source, now, digest) if objects or rejects.rows else now
        keys = [
            batch_key(table.name, arrived, batch, part, encoding.suffix, source) for part in range(1, len(objects) + 1)
        ]
        rejects_key = None
        if rejects.rows:
            key = batch_key(table.name, arrived, batch, 1, JSON_LINES.suffix, source)
            rejects_key = REJECTS + key.removeprefix("raw/")
            _put(store, rejects_key, rejects, JSON_LINES, arrived, source or table.name)
        written = [
            _put(store, key, each, encoding, arrived, source or table.name)
            for key, each in zip(keys, objects, strict=True)
        ]
    return Ingested(
        batch, arrived, tuple(keys), sum(written), sum(each.rows for each in objects), rejects.rows, rejects_key
    )


class _Spool:
    """An object to be: its rows, packed, wait in a file. A thread packs them while others are read."""

    def __init__(self, encoding: Encoding, packer: ThreadPoolExecutor, stack: ExitStack) -> None:
        self.file = cast(BinaryIO, stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY)))  # noqa: SIM115
        self.digest = hashlib.sha256()
        self.rows = 0
        self.bytes = 0
        self._body = encoding.body(self.file)
        self._packer = packer
        self._packing: Future[None] | None = None
        self._waiting: list[bytes] = []
        self._next_block = _BLOCK

    def write(self, rows: Sequence[bytes], size: int) -> None:
        """Add rows of so many bytes together."""
        self._waiting += rows
        self.rows += len(rows)
        self.bytes += size
        if self.bytes >= self._next_block:
            self._pack_waiting()

    def close(self) -> None:
        self._pack_waiting()
        self._await_packing()
        self._body.close()

    def _pack_waiting(self) -> None:
        self._await_packing()
        if self._waiting:
            self._packing = self._packer.submit(self._pack, b"".join(self._waiting))
        self._waiting = []
        self._next_block = self.bytes + _BLOCK

    def _await_packing(self) -> None:
        if self._packing:
            self._packing.result()

    def _pack(self, block: bytes) -> None:
        self.digest.update(block)
        self._body.write(block)


def _spool(
    encoding: Encoding,
    records: Iterable[Record | bytes],
    unfit: Unfit,
    object_bytes: int,
    progress: Callable[[int], Any],
    stack: ExitStack,
) -> tuple[list[_Spool], _Spool]:
    """Return the objects to be, and what holds the records that are unfit."""
    packer = stack.enter_context(ThreadPoolExecutor(max_workers=1))
    rejects = _Spool(JSON_LINES, packer, stack)
    objects: list[_Spool] = []

    def write(rows: Sequence[bytes]) -> None:
        size = sum(map(len, rows))
        if objects and objects[-1].bytes + size <= object_bytes:
            objects[-1].write(rows, size)
        elif len(rows) > 1:
            for row in rows:
                write([row])
        else:
            for full in objects[-1:]:
                full.close()
            objects.append(_Spool(encoding, packer, stack))
            objects[-1].write(rows, size)

    position = 0
    remaining = iter(records)
    while together := list(islice(remaining, _TOGETHER)):
        try:
            rows = _limited(encoding.rows(together))
        except ValueError:
            rows = []
            for place, record in enumerate(together, position + 1):
                try:
                    rows += _limited([encoding.row(record)])
                except ValueError as error:
                    if unfit is Unfit.stop:
                        raise RecordError(f"Record {place} {error}. Nothing was written.") from error
                    rejected = _rejected(place, record, str(error))
                    rejects.write([rejected], len(rejected))
        if rows:
            write(rows)
        position += len(together)
        progress(position)
    for last in objects[-1:]:
        last.close()
    rejects.close()
    return objects, rejects


def _limited(rows: list[bytes]) -> list[bytes]:
    longest = max(map(len, rows))
    if longest > LONGEST_LINE:
        raise ValueError(f"has {longest:,} bytes, over {LONGEST_LINE:,}")
    return rows


def _rejected(position: int, record: object, reason: str) -> bytes:
    text = record.decode(errors="backslashreplace") if isinstance(record, bytes) else repr(record)
    encodable = text.encode(errors="backslashreplace").decode()
    return json_line({"position": position, "reason": reason, "record": encodable})


def _check_names(table: RawTable, batch: str | None, source: str | None, now: datetime) -> None:
    if table.has_sources != (source is not None):
        raise SourceError(
            f"The data set {table.name} has several producers: name the source."
            if table.has_sources
            else f"The data set {table.name} has no `source` in its path: leave the source {source!r} out."
        )
    try:
        raw_folder(table.name, now, source)
        if batch is not None:
            batch_key(table.name, now, batch, 1, "", source)
    except ValueError as error:
        raise BatchError(f"The batch has no place: {error}.") from error


def _claim(store: Store, table: RawTable, batch: str, source: str | None, now: datetime, digest: str) -> datetime:
    """Return when the batch arrived: now, unless an earlier try has left a receipt."""
    key = f"{BATCHES}{table.name}/{f'source={source}/' if source else ''}{batch}.json"
    receipt = {"dataset": table.name, "source": source, "batch": batch, "arrived": now.isoformat(), "digest": digest}
    if store.put_if_absent(key, orjson.dumps(receipt, option=orjson.OPT_INDENT_2), About("application/json")):
        return now
    with store.read(key) as file:
        first = orjson.loads(file.read())
    if first["digest"] != digest:
        raise BatchError(
            f"The batch {batch} of {table.name} was ingested at {first['arrived']} with other records; "
            "nothing was written. Give this one another name, or send the same records in the same order, to be split "
            "at the same size."
        )
    return datetime.fromisoformat(first["arrived"])


def _put(store: Store, key: str, spool: _Spool, encoding: Encoding, arrived: datetime, data_source: str) -> bool:
    if store.exists(key):
        return False
    metadata = {
        "data-source": data_source,
        "ingestion-timestamp": arrived.isoformat(),
        "record-count": str(spool.rows),
    }
    return store.put_if_absent(key, spool.file, About(encoding.content_type, encoding.content_encoding, metadata))
