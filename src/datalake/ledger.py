"""The ledger of raw files, `curated_db.raw_files`: each file that was read, sound or broken, once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from datalake.errors import DatalakeError, DeclarationError, RawChangedError
from datalake.inspect import Inspection, inspect
from datalake.layout import parse_key
from datalake.sources import RawTable
from datalake.storage import About, Store, StoredObject

if TYPE_CHECKING:
    import duckdb

RAW = "raw/"
ERRORS = "errors/"

_LONGEST_DETAIL = 1500
"""Characters of a broken file's detail that go with its copy; S3 takes 2 KB of metadata."""

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")

_CREATE = """
create schema if not exists curated_db;
create table if not exists curated_db.raw_files (
    file_id bigint not null,
    dataset varchar not null,
    file varchar not null,
    source varchar,
    arrived varchar,
    bytes bigint not null,
    rows bigint not null,
    state varchar not null,
    reason varchar,
    detail varchar,
    checked_at timestamp not null
)
"""


@dataclass(frozen=True)
class Checked:
    """What one check found among the files that are new to the ledger.

    Attributes:
        files: the new files.
        rows: their raw rows.
        broken: key and detail of each broken file.
    """

    files: int
    rows: int
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Arrived:
    """What became of files that were named to the check.

    Attributes:
        checked: those that are in the ledger since.
        known: the keys of those that were in it already.
        failed: the error of each that could not be entered, by its key.
    """

    checked: Checked
    known: tuple[str, ...]
    failed: Mapping[str, Exception]


class Entered(NamedTuple):
    """What the ledger knows of a file: its size in bytes, and whether it is sound."""

    bytes: int
    sound: bool


class Ledger(Protocol):
    """The table `curated_db.raw_files`, on whichever engine the lake has."""

    def create(self) -> None:
        """Make it where the lake has none yet."""

    def files(self, among: Collection[str] | None = None) -> dict[str, Entered]:
        """Return the files by the text that stands for their keys, all or those among some."""

    def sound_files(self, dataset: str) -> list[str]:
        """Return the sound files of a data set with a row in them, the newest first."""

    def enter(self, files: Sequence[StoredObject], inspections: Sequence[Inspection], now: datetime) -> None:
        """Enter files, all or none, each with a number higher than that of any file before; known ones are left alone.

        Args:
            files: the files, in the order that their numbers take.
            inspections: what each holds.
            now: the aware time that the entries carry.
        """


class DuckDBLedger:
    """The ledger in the database of a local lake, which one process at a time has open for writing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def create(self) -> None:
        """Make it where the lake has none yet."""
        self._connection.execute(_CREATE)

    def files(self, among: Collection[str] | None = None) -> dict[str, Entered]:
        """Return the files by the text that stands for their keys, all or those among some."""
        query = "select file, bytes, state = 'sound' from curated_db.raw_files"
        if among is None:
            found = self._connection.execute(query).fetchall()
        else:
            named = {"files": list(among)}
            found = self._connection.execute(f"{query} where file in (select unnest($files))", named).fetchall()
        return {file: Entered(size, sound) for file, size, sound in found}

    def sound_files(self, dataset: str) -> list[str]:
        """Return the sound files of a data set with a row in them, the newest first."""
        found = self._connection.execute(
            "select file from curated_db.raw_files where dataset = $dataset and state = 'sound' and rows > 0 "
            "order by file_id desc",
            {"dataset": dataset},
        ).fetchall()
        return [file for (file,) in found]

    def enter(self, files: Sequence[StoredObject], inspections: Sequence[Inspection], now: datetime) -> None:
        """Enter files, all or none, their numbers going on from the highest."""
        row = self._connection.execute("select coalesce(max(file_id), 0) from curated_db.raw_files").fetchone()
        first = (row[0] if row else 0) + 1
        self._connection.register("entries", entries(range(first, first + len(files)), files, inspections))
        self._connection.execute(
            "insert into curated_db.raw_files select *, cast($now as timestamptz) at time zone 'UTC' from entries",
            {"now": now.isoformat()},
        )
        self._connection.unregister("entries")


def check(
    store: Store,
    ledger: Ledger,
    tables: Mapping[str, RawTable],
    now: datetime,
    progress: Callable[[int, int], Any] = lambda done, of: None,
) -> Checked:
    """Read every raw file that the ledger doesn't know and enter it, all or none.

    A broken file is copied to `errors/`; the models leave it out by its path. Copies that a killed replay left there
    are removed.

    Args:
        store: the lake.
        ledger: its ledger.
        tables: the declared raw tables by name.
        now: the aware time that the entries carry.
        progress: told how many of the new files are read.

    Raises:
        RawChangedError: a file that the ledger knows has another size now, or is gone.
        DeclarationError: a declared column is in none of a data set's files.
    """
    ledger.create()
    known = ledger.files()
    remove_copies_of_sound_files(store, known)
    new: list[StoredObject] = []
    for stored in store.list(RAW):
        entered = known.pop(entered_name(stored.key), None)
        if entered is None:
            new.append(stored)
        else:
            _require_unchanged(stored, entered)
    if known:
        raise RawChangedError(
            f"{min(known)} was checked and is gone now (files gone: {len(known)}). "
            "Raw files are never removed by hand: put them back."
        )

    inspections = inspect_files(store, tables, new, progress)
    check_declared_columns(store, ledger, tables, new, inspections)

    for stored, inspection in zip(new, inspections, strict=True):
        _keep_copy_if_broken(store, stored, inspection)
    return _enter(ledger, new, inspections, now)


def check_arrivals(
    store: Store, ledger: Ledger, tables: Mapping[str, RawTable], keys: Collection[str], now: datetime
) -> Arrived:
    """Read the raw files that have these keys and enter those that the ledger doesn't know, as `check` does for all.

    One that fails keeps none of the others out. Nothing is entered twice, whoever else enters these files meanwhile;
    after a kill at any moment, the same keys again end as if there had been none.

    Args:
        store: the lake.
        ledger: its ledger, which is there.
        tables: the declared raw tables by name.
        keys: the keys, under `raw/`.
        now: the aware time that the entries carry.

    Returns:
        What became of each file. Its error is a RawChangedError where it is gone, or has another size than the ledger
        says, and a DeclarationError where a declared column is in none of its data set's files: it is entered once
        another file has brought the column, or the source YAML is corrected.
    """
    failed: dict[str, Exception] = {}
    found = _attempt(lambda key: _find(store, key), {key: key for key in sorted(keys)}, failed)
    entered = ledger.files([entered_name(key) for key in found]) if found else {}
    known = _attempt(
        lambda stored: _require_unchanged(stored, entered[entered_name(stored.key)]),
        {key: stored for key, stored in found.items() if entered_name(key) in entered},
        failed,
    )
    new = {key: stored for key, stored in found.items() if entered_name(key) not in entered}
    inspections = _attempt(lambda stored: _inspect(store, stored, tables), new, failed)

    undeclared: dict[str, Exception] = {}
    _attempt(
        lambda seen: _check_declared_columns(store, ledger, tables[seen[0]], seen[1]),
        {seen[0]: seen for seen in _columns_by_dataset(inspections).items()},
        undeclared,
        at_once=1,  # they ask the ledger
    )
    for key, inspection in list(inspections.items()):
        if not inspection.reason and inspection.columns and dataset_of(key) in undeclared:
            failed[key] = undeclared[dataset_of(key)]
            del inspections[key]

    kept = _attempt(
        lambda key: _keep_copy_if_broken(store, new[key], inspections[key]), {key: key for key in inspections}, failed
    )
    checked = _enter(ledger, [new[key] for key in kept], [inspections[key] for key in kept], now)
    return Arrived(checked, tuple(known), failed)


def _attempt(
    work: Callable[[_Item], _Done],
    items: Mapping[str, _Item],
    failed: dict[str, Exception],
    at_once: int | None = None,
) -> dict[str, _Done]:
    """Do some work on each item, several at a time; return what it gives, by the items' names, and put aside errors."""

    def outcome(item: _Item) -> _Done | Exception:
        try:
            return work(item)
        except (DatalakeError, BotoCoreError, ClientError, OSError) as error:
            return error

    done: dict[str, _Done] = {}
    with ThreadPoolExecutor(at_once) as workers:
        for name, result in zip(items, workers.map(outcome, items.values()), strict=True):
            if isinstance(result, Exception):
                failed[name] = result
            else:
                done[name] = result
    return done


def _find(store: Store, key: str) -> StoredObject:
    stored = store.find(key)
    if stored is None:
        raise RawChangedError(f"{key} has arrived and is gone now. Raw files are never removed by hand: put it back.")
    return stored


def _require_unchanged(stored: StoredObject, entered: Entered) -> None:
    if entered.bytes != stored.size:
        raise RawChangedError(
            f"{stored.key} had {entered.bytes:,} bytes when it was checked and has {stored.size:,} now. "
            "Raw files are never changed: put the old one back and land the new one under another name. Where the "
            f"source delivered it anew, `datalake replay {dataset_of(stored.key)} --file {stored.key}` takes it in."
        )


def _keep_copy_if_broken(store: Store, stored: StoredObject, inspection: Inspection) -> None:
    if not inspection.reason:
        return
    # Metadata are ASCII without line breaks, which a detail, as it quotes the file, may hold.
    detail = (inspection.detail or "").encode("unicode_escape").decode()
    about = About(metadata={"reason": inspection.reason, "detail": detail[:_LONGEST_DETAIL]})
    with store.read(stored.key) as file:
        store.put_if_absent(copy_of(stored.key), file.read(), about)


def _enter(ledger: Ledger, files: Sequence[StoredObject], inspections: Sequence[Inspection], now: datetime) -> Checked:
    if files:
        ledger.enter(files, inspections, now)
    return Checked(
        files=len(files),
        rows=sum(inspection.rows for inspection in inspections),
        broken=tuple(
            (entered_name(stored.key), inspection.detail or "")
            for stored, inspection in zip(files, inspections, strict=True)
            if inspection.reason
        ),
    )


def entered_name(key: str) -> str:
    """Return the text that stands for a key in the ledger: the key, its bytes that are not UTF-8 written out."""
    return key.encode(errors="surrogateescape").decode(errors="backslashreplace")


def dataset_of(key: str) -> str:
    """Return the data set in whose folder a raw file lies, declared or not."""
    return key.split("/")[1]


def copy_of(key: str) -> str:
    """Return the key under which a broken raw file is kept."""
    return ERRORS + key.removeprefix(RAW)


def inspect_files(
    store: Store,
    tables: Mapping[str, RawTable],
    files: Sequence[StoredObject],
    progress: Callable[[int, int], Any],
) -> list[Inspection]:
    """Read raw files, several at a time, and say what each holds.

    Args:
        store: the lake.
        tables: the declared raw tables by name.
        files: the files.
        progress: told how many of them are read.
    """
    inspections: list[Inspection] = []
    with ThreadPoolExecutor() as readers:
        for inspection in readers.map(lambda stored: _inspect(store, stored, tables), files):
            inspections.append(inspection)
            progress(len(inspections), len(files))
    return inspections


def remove_copies_of_sound_files(store: Store, known: Mapping[str, Entered]) -> None:
    """Remove from `errors/` what is a copy of a file that the ledger calls sound.

    Args:
        store: the lake.
        known: the ledger's files.
    """
    for copy in list(store.list(ERRORS)):
        entered = known.get(RAW + entered_name(copy.key).removeprefix(ERRORS))
        if entered and entered.sound:
            store.remove(copy.key)


def _inspect(store: Store, stored: StoredObject, tables: Mapping[str, RawTable]) -> Inspection:
    table = tables.get(dataset_of(stored.key))
    if table is None:
        return Inspection(1, "undeclared_dataset", f"No source YAML declares the data set {dataset_of(stored.key)}.")
    place = parse_key(stored.key)
    if place is None or (place.source is not None) != table.has_sources:
        return Inspection(
            1,
            "outside_layout",
            f"Not under {table.external.location}{'source=NAME/' if table.has_sources else ''}"
            "year=YYYY/month=MM/day=DD/, so no table can see it.",
        )
    if entered_name(stored.key) != stored.key or re.search(r"[*?\[\n]", stored.key):
        return Inspection(1, "unreadable_name", "The file's name is not UTF-8, or has one of * ? [ or a line break.")
    with store.read(stored.key) as file:
        return inspect(file, stored.key, table)


def entries(file_ids: Sequence[int], files: Sequence[StoredObject], inspections: Sequence[Inspection]) -> pa.Table:
    """Return what the ledger holds of files, but for the time of the check."""
    places = [parse_key(stored.key) for stored in files]
    return pa.table(
        {
            "file_id": pa.array(file_ids, pa.int64()),
            "dataset": pa.array([dataset_of(stored.key) for stored in files], pa.string()),
            "file": pa.array([entered_name(stored.key) for stored in files], pa.string()),
            "source": pa.array([place.source if place else None for place in places], pa.string()),
            "arrived": pa.array([place.arrived if place else None for place in places], pa.string()),
            "bytes": pa.array([stored.size for stored in files], pa.int64()),
            "rows": pa.array([inspection.rows for inspection in inspections], pa.int64()),
            "state": pa.array(["broken" if inspection.reason else "sound" for inspection in inspections], pa.string()),
            "reason": pa.array([inspection.reason for inspection in inspections], pa.string()),
            "detail": pa.array([inspection.detail for inspection in inspections], pa.string()),
        }
    )


def check_declared_columns(
    store: Store,
    ledger: Ledger,
    tables: Mapping[str, RawTable],
    files: Sequence[StoredObject],
    inspections: Sequence[Inspection],
) -> None:
    """Refuse files if a declared column is neither in one of them nor in a file that the ledger calls sound.

    Raises:
        DeclarationError: it names the column.
    """
    by_key = {stored.key: inspection for stored, inspection in zip(files, inspections, strict=True)}
    for dataset, columns in _columns_by_dataset(by_key).items():
        _check_declared_columns(store, ledger, tables[dataset], columns)


def _columns_by_dataset(inspections: Mapping[str, Inspection]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = defaultdict(set)
    for key, inspection in inspections.items():
        if not inspection.reason and inspection.columns:
            seen[dataset_of(key)].update(inspection.columns)
    return seen


def _check_declared_columns(store: Store, ledger: Ledger, table: RawTable, columns: set[str]) -> None:
    missing = [column.name for column in table.columns if not column.config.meta.optional]
    for seen in chain([columns], _columns_of_known_files(store, ledger, table)):
        columns = columns | seen
        missing = [name for name in missing if name not in columns]
        if not missing:
            return
    raise DeclarationError(
        f"models/raw/ declares the column {missing[0]} for {table.name}, which no file of "
        f"{table.external.location} has; they hold {', '.join(sorted(columns))}. "
        "Correct the name, or set `config: {meta: {optional: true}}` if files may lack it."
    )


def _columns_of_known_files(store: Store, ledger: Ledger, table: RawTable) -> Iterator[frozenset[str]]:
    for key in ledger.sound_files(table.name):
        with store.read(key) as file:
            yield inspect(file, key, table).columns
