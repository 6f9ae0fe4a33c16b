"""Taking files back in that were quarantined, whole or with some of their rows, after a fix of the source or a rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from datalake.errors import NotInLedgerError, RawChangedError
from datalake.inspect import Inspection
from datalake.ledger import (
    RAW,
    DuckDBLedger,
    check_declared_columns,
    copy_of,
    dataset_of,
    entered_name,
    entries,
    inspect_files,
    remove_copies_of_sound_files,
)
from datalake.sources import RawTable
from datalake.storage import Store, StoredObject

_MARK = -1
"""The number of a file that marks a model in `model_progress`; macros/increments/replayed_upstream.sql reads it."""


@dataclass(frozen=True)
class Replayed:
    """What one replay did.

    Attributes:
        files: the files that are sound now, to be parsed anew by the next build.
        quarantined: how many entries of the quarantine these had, rows and whole files.
        broken: key and detail of each replayed file that is broken, still or by now.
    """

    files: int
    quarantined: int
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Entered:
    """A file of the ledger, and what of it is in the quarantine."""

    file_id: int
    file: str
    quarantined: int
    reasons: frozenset[str]


def replay(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, RawTable],
    dataset: str,
    now: datetime,
    reasons: Collection[str] = (),
    files: Collection[str] = (),
    progress: Callable[[int, int], Any] = lambda done, of: None,
) -> Replayed:
    """Read files of a data set again and let the next build parse them anew, all or none.

    The ledger's entries are brought up to date in place and the files' parsed rows are deleted, so that the next
    build takes these files and no other; the models that come from them are marked to be made anew. Killed at any
    moment, it is whole when it is done again.

    Args:
        store: the lake.
        connection: its database, open for writing.
        tables: the declared raw tables by name.
        dataset: the data set.
        now: the aware time that the entries carry.
        reasons: take only files that have one of these in the quarantine; by default those that have anything there.
        files: take only these. Without reasons they need not have anything in the quarantine.
        progress: told how many of the files are read.

    Raises:
        NotInLedgerError: the ledger has no file of the data set, or not the one that was named.
        RawChangedError: a file is gone.
        DeclarationError: a declared column is in none of the data set's files.
    """
    ledger = DuckDBLedger(connection)
    ledger.create()
    entered = _entered_files(connection, dataset)
    _check_names(connection, dataset, entered, files)
    chosen = [file for file in entered if _is_chosen(file, reasons, files)]
    stored = _stored_files(store, dataset, chosen)
    inspections = inspect_files(store, tables, stored, progress)
    check_declared_columns(store, ledger, tables, stored, inspections)

    _keep_copies_of_broken_files(store, stored, inspections)
    if chosen:
        with _transaction(connection):
            _enter_again(connection, chosen, stored, inspections, now)
            _forget_parsed_rows(connection, dataset, chosen)
            _mark_models(connection, dataset)
            # The view names the files that were sound; a run of dbt makes it where it is missing.
            connection.execute(f"drop view if exists raw_db.{_quoted(dataset)}")
    remove_copies_of_sound_files(store, ledger.files())

    results = list(zip(chosen, inspections, strict=True))
    sound = [file for file, inspection in results if not inspection.reason]
    return Replayed(
        files=len(sound),
        quarantined=sum(file.quarantined for file in sound),
        broken=tuple((file.file, inspection.detail or "") for file, inspection in results if inspection.reason),
    )


def _entered_files(connection: duckdb.DuckDBPyConnection, dataset: str) -> list[_Entered]:
    broken_rows = (
        f"select file_id, reasons from {_parsed(dataset)} where reasons is not null"
        if _exists(connection, f"{dataset}_parsed")
        else "select null, null where false"
    )
    found = connection.execute(
        f"""
        with quarantined (file_id, reasons) as (
            select file_id, reason from curated_db.raw_files where state = 'broken'
            union all
            {broken_rows}
        )
        select files.file_id, files.file, count(quarantined.reasons), string_agg(distinct quarantined.reasons, ',')
        from curated_db.raw_files as files
        left join quarantined on files.file_id = quarantined.file_id
        where files.dataset = $dataset
        group by files.file_id, files.file
        order by files.file_id
        """,
        {"dataset": dataset},
    ).fetchall()
    return [
        _Entered(file_id, file, quarantined, frozenset(reasons.split(",") if reasons else ()))
        for file_id, file, quarantined, reasons in found
    ]


def _check_names(
    connection: duckdb.DuckDBPyConnection, dataset: str, entered: Sequence[_Entered], files: Collection[str]
) -> None:
    if not entered:
        known = connection.execute("select distinct dataset from curated_db.raw_files order by dataset").fetchall()
        raise NotInLedgerError(
            f"The ledger holds no file of a data set {dataset}; it holds "
            f"{', '.join(name for (name,) in known) or 'nothing, run `datalake check` first'}."
        )
    if unknown := sorted(set(files) - {file.file for file in entered}):
        raise NotInLedgerError(
            f"The ledger holds no file {unknown[0]} of {dataset}. Name it by its key, such as {entered[0].file}; "
            "a file that is new needs `datalake check`, not a replay."
        )


def _is_chosen(file: _Entered, reasons: Collection[str], files: Collection[str]) -> bool:
    if files and file.file not in files:
        return False
    if reasons:
        return not file.reasons.isdisjoint(reasons)
    return bool(files or file.quarantined)


def _stored_files(store: Store, dataset: str, chosen: Sequence[_Entered]) -> list[StoredObject]:
    if not chosen:
        return []
    stored = {entered_name(each.key): each for each in store.list(RAW) if dataset_of(each.key) == dataset}
    gone = [file.file for file in chosen if file.file not in stored]
    if gone:
        raise RawChangedError(
            f"{gone[0]} was checked and is gone now (files gone: {len(gone)}). "
            "Put it back under its name, as it was or corrected, then replay it."
        )
    return [stored[file.file] for file in chosen]


def _keep_copies_of_broken_files(
    store: Store, files: Sequence[StoredObject], inspections: Sequence[Inspection]
) -> None:
    for stored, inspection in zip(files, inspections, strict=True):
        if inspection.reason:
            with store.read(stored.key) as file:
                store.put(copy_of(stored.key), file.read())


def _enter_again(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[_Entered],
    stored: Sequence[StoredObject],
    inspections: Sequence[Inspection],
    now: datetime,
) -> None:
    connection.register("entries", entries([file.file_id for file in chosen], stored, inspections))
    connection.execute(
        """
        update curated_db.raw_files
        set
            bytes = entries.bytes,
            rows = entries.rows,
            state = entries.state,
            reason = entries.reason,
            detail = entries.detail,
            checked_at = cast($now as timestamptz) at time zone 'UTC'
        from entries
        where raw_files.file_id = entries.file_id
        """,
        {"now": now.isoformat()},
    )
    connection.unregister("entries")


def _forget_parsed_rows(connection: duckdb.DuckDBPyConnection, dataset: str, chosen: Sequence[_Entered]) -> None:
    if _exists(connection, f"{dataset}_parsed"):
        connection.execute(
            f"delete from {_parsed(dataset)} where file_id in (select unnest($file_ids))",
            {"file_ids": [file.file_id for file in chosen]},
        )


def _mark_models(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Let each model forget how far it took the data set; those that come from it are made anew.

    Every model is marked, for one may read the data set without remembering how far, through another model.
    """
    if not _exists(connection, "model_progress"):
        return
    models = connection.execute("select distinct model from curated_db.model_progress order by model").fetchall()
    connection.execute("delete from curated_db.model_progress where dataset = $dataset", {"dataset": dataset})
    for (model,) in models:
        connection.execute(
            "insert into curated_db.model_progress (model, dataset, file_id) values ($model, $dataset, $mark)",
            {"model": model, "dataset": dataset, "mark": _MARK},
        )


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'curated_db' and table_name = $table",
        {"table": table},
    )
    return found.fetchone() is not None


def _parsed(dataset: str) -> str:
    return f"curated_db.{_quoted(f'{dataset}_parsed')}"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
