"""The ledger of raw files as an Iceberg table on Athena."""

from __future__ import annotations

import io
import random
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from datalake.athena import Athena
from datalake.errors import QueryFailedError
from datalake.inspect import Inspection
from datalake.ledger import Entered, entries
from datalake.storage import S3Store, StoredObject

_STAGING = "ledger-staging/"
_STAGED_AT = "%Y%m%d%H%M%S"
_ABANDONED_AFTER = timedelta(days=1)
"""No statement of Athena runs that long (its limit is 30 minutes unless AWS raises it)."""

_NAMED_AT_ONCE = 100
"""A key has at most 1,024 bytes, a statement 262,144."""

_TIMES_TRIED = 8
_LONGEST_PAUSE = 10.0
"""In seconds."""

_CREATE = """
create table if not exists curated_db.raw_files (
    `file_id` bigint,
    `dataset` string,
    `file` string,
    `source` string,
    `arrived` string,
    `bytes` bigint,
    `rows` bigint,
    `state` string,
    `reason` string,
    `detail` string,
    `checked_at` timestamp
)
location '{location}'
tblproperties ('table_type' = 'ICEBERG', 'format' = 'PARQUET', 'write_compression' = 'SNAPPY')
"""

_STAGE = """
create external table curated_db.`{table}` ({columns})
stored as parquet
location '{location}'
"""

# One statement: all entries or none. The highest number is read in it, so that of two checks at once, the one that
# ends second conflicts with the other's commit, is run again, and goes on from the other's numbers.
_ENTER = """
merge into curated_db.raw_files as ledger
using (
    select
        (select coalesce(max(file_id), 0) from curated_db.raw_files) + staged.file_id as file_id,
        {columns}
    from curated_db.{table} as staged
) as staged
on ledger.file = staged.file
when not matched then insert (file_id, {names}, checked_at)
values (staged.file_id, {columns}, timestamp '{now:%Y-%m-%d %H:%M:%S.%f}')
"""


class AthenaLedger:
    """The table `curated_db.raw_files`; several checks may write it at once."""

    def __init__(self, athena: Athena, store: S3Store, wait: Callable[[float], None] = time.sleep) -> None:
        """Name the ledger.

        Args:
            athena: runs its statements.
            store: the lake, which holds the table's files and, for a moment, those with new entries.
            wait: passes that many seconds.
        """
        self._athena = athena
        self._store = store
        self._wait = wait

    def create(self) -> None:
        """Make it where the lake has none yet."""
        self._athena.run("create database if not exists curated_db")
        self._athena.run(_CREATE.format(location=self._store.uri("curated_db/raw_files/")))

    def files(self, among: Collection[str] | None = None) -> dict[str, Entered]:
        """Return the files by the text that stands for their keys, all or those among some."""
        query = "select file, bytes, state from curated_db.raw_files"
        if among is None:
            return self._files(query)
        names = list(map(_literal, among))
        found: dict[str, Entered] = {}
        for start in range(0, len(names), _NAMED_AT_ONCE):
            found |= self._files(f"{query} where file in ({', '.join(names[start : start + _NAMED_AT_ONCE])})")
        return found

    def _files(self, query: str) -> dict[str, Entered]:
        found = self._athena.read_result(query)
        return {file: Entered(int(size), state == "sound") for file, size, state in found}

    def sound_files(self, dataset: str) -> list[str]:
        """Return the sound files of a data set with a row in them, the newest first."""
        found = self._athena.read_result(
            f"select file from curated_db.raw_files where dataset = {_literal(dataset)} "
            "and state = 'sound' and rows > 0 order by file_id desc"
        )
        return [file for (file,) in found]

    def enter(self, files: Sequence[StoredObject], inspections: Sequence[Inspection], now: datetime) -> None:
        """Enter files, all or none, each with a number higher than that of any file before; known ones are left alone.

        Raises:
            QueryFailedError: the statement failed, or other checks came first every time.
        """
        self._remove_abandoned(now)
        # Its file_id counts from 1: what is added to the ledger's highest.
        new = entries(range(1, len(files) + 1), files, inspections)
        with self._staged(new, now) as table:
            names = [name for name in new.column_names if name != "file_id"]
            statement = _ENTER.format(
                table=table,
                names=", ".join(names),
                columns=", ".join(f"staged.{name}" for name in names),
                now=now.astimezone(UTC),
            )
            self._run_until_committed(statement)

    def _run_until_committed(self, statement: str) -> None:
        for tried in range(1, _TIMES_TRIED + 1):
            try:
                self._athena.run(statement)
            except QueryFailedError as error:
                if "ICEBERG_COMMIT_ERROR" not in str(error) or tried == _TIMES_TRIED:
                    raise
                self._wait(random.uniform(0, min(2.0**tried, _LONGEST_PAUSE)))
            else:
                return

    @contextmanager
    def _staged(self, new: pa.Table, now: datetime) -> Iterator[str]:
        """Give the name of a table with these entries; it is gone afterwards."""
        name = f"{now.astimezone(UTC):{_STAGED_AT}}_{uuid.uuid4().hex}"
        body = io.BytesIO()
        pq.write_table(new, body)
        try:
            # The object comes before its table and goes after it, so that the one leads to the other.
            self._store.put(f"{_STAGING}{name}/entries.parquet", body.getvalue())
            columns = (f"`{field.name}` {'bigint' if field.type == pa.int64() else 'string'}" for field in new.schema)
            self._athena.run(
                _STAGE.format(
                    table=_table(name), columns=", ".join(columns), location=self._store.uri(f"{_STAGING}{name}/")
                )
            )
            yield _table(name)
        finally:
            self._remove_staged(name)

    def _remove_staged(self, name: str) -> None:
        self._athena.run(f"drop table if exists curated_db.`{_table(name)}`")
        self._store.remove(f"{_STAGING}{name}/entries.parquet")

    def _remove_abandoned(self, now: datetime) -> None:
        """Remove what killed checks left; names begin with the time and sort by it."""
        first_alive = f"{now.astimezone(UTC) - _ABANDONED_AFTER:{_STAGED_AT}}"
        for staged in list(self._store.list(_STAGING)):
            name = staged.key.removeprefix(_STAGING).partition("/")[0]
            if name < first_alive:
                self._remove_staged(name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _table(name: str) -> str:
    return f"raw_files_staging_{name}"
