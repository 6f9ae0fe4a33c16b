"""Faults on purpose while batches are ingested: whatever happens, the last try ends with every record there, once."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from faulty_s3 import Fault, FaultyS3, faulty_s3
from lakes import PROJECT

from datalake.ingest import Ingested, Unfit, ingest
from datalake.sources import load_sources
from datalake.storage import FolderStore, S3Store, Store

ORDERS = load_sources(PROJECT / "models" / "raw")["orders"]
TEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
RUNS_IN_A_BUCKET = 400
RUNS_IN_A_FOLDER = 600
_WRITES = ("open", "os.link", "os.mkdir", "os.remove", "os.chmod", "tempfile.mkstemp")


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


class Batch:
    """A batch of random size, with unfit records among the others, and clocks that are hours apart."""

    def __init__(self, random: Random, number: int) -> None:
        self.random = random
        self.name = f"batch-{number}"
        self.fit = [{"order_id": f"{number}-{position}"} for position in range(random.randint(1, 12))]
        self.unfit = [[f"{number}-{position}"] for position in range(random.choice([0, 0, 1, 2]))]
        self.records: list[Any] = [*self.fit, *self.unfit]
        random.shuffle(self.records)
        self.object_bytes = random.randint(60, 300)

    def ingest(self, store: Store, now: datetime) -> Ingested:
        return ingest(
            store, ORDERS, self.records, batch=self.name, now=now, unfit=Unfit.reject, object_bytes=self.object_bytes
        )

    def skewed_clock(self) -> datetime:
        return TEN + timedelta(minutes=self.random.randint(-300, 300))

    def assert_is_there_once(self, store: Store, done: Ingested, keys: Sequence[str]) -> None:
        found = [key for key in keys if key.startswith("raw/")]
        assert sorted(done.keys) == found
        rows = [json.loads(line) for key in found for line in unpacked(store, key)]
        assert rows == [record for record in self.records if isinstance(record, dict)]
        rejected = [key for key in keys if key.startswith("rejects/")]
        assert rejected == ([done.rejects_key] if done.rejects_key else [])
        texts = [json.loads(line)["record"] for key in rejected for line in unpacked(store, key)]
        assert Counter(texts) == Counter(map(repr, self.unfit))


def keys_by_batch(store: Store) -> dict[str, list[str]]:
    found = defaultdict(list)
    for prefix in ("raw/", "rejects/"):
        for stored in store.list(prefix):
            found["-".join(stored.key.split("-")[5:7])].append(stored.key)
    return found


def unpacked(store: Store, key: str) -> list[bytes]:
    with store.read(key) as file:
        return gzip.decompress(file.read()).splitlines()


def test_bucket_that_refuses_fails_and_loses_answers_holds_each_record_once(
    s3: FaultyS3, pytestconfig: pytest.Config
) -> None:
    """One to three ingesters at once, each with a clock of its own, try until they succeed."""
    client = s3.client()
    bucket = f"lake-{uuid4()}"
    client.create_bucket(Bucket=bucket)
    store = S3Store.open(client, bucket)
    met: Counter[Fault] = Counter()
    batches = []
    for number in range(RUNS_IN_A_BUCKET):
        random = Random(f"{pytestconfig.getoption('seed')}-{number}")
        batch = Batch(random, number)

        def choose(random: Random = random) -> Fault | None:
            fault = random.choice(list(Fault)) if random.random() < 0.08 else None
            if fault:
                met[fault] += 1
            return fault

        def until_done(now: datetime, batch: Batch = batch) -> Ingested:
            while True:
                try:
                    return batch.ingest(store, now)
                except ClientError:
                    now += timedelta(minutes=20)

        s3.choose = choose
        clocks = [batch.skewed_clock() for _ in range(random.choice([1, 1, 2, 3]))]
        with ThreadPoolExecutor() as pool:
            done = list(pool.map(until_done, clocks))
        assert len({each.keys for each in done}) == 1
        batches.append((batch, done[0]))
    s3.choose = lambda: None
    found = keys_by_batch(store)
    for batch, each in batches:
        batch.assert_is_there_once(store, each, found[batch.name])
    assert set(met) == set(Fault)


def test_folder_whose_ingesters_are_killed_holds_each_record_once(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Up to three ingesters end by SIGKILL, each before some write; then one is left to its end."""
    kills = 0
    batches = []
    for number in range(RUNS_IN_A_FOLDER):
        batch = Batch(Random(f"{pytestconfig.getoption('seed')}-{number}"), number)
        for _ in range(batch.random.randint(1, 3)):
            kill = partial(kill_before_write, batch.random.randint(0, 25))
            now = batch.skewed_clock()
            kills += in_a_fork(partial(ingest_in_a_folder, batch, tmp_path, now), kill) == -signal.SIGKILL
        batches.append((batch, ingest_in_a_folder(batch, tmp_path, batch.skewed_clock())))
    store = FolderStore.open(tmp_path)
    assert not list(tmp_path.glob(".landing-*"))
    found = keys_by_batch(store)
    for batch, done in batches:
        batch.assert_is_there_once(store, done, found[batch.name])
    assert kills > RUNS_IN_A_FOLDER


def test_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The system lets no file grow past a limit, as a full disk would not."""
    records = [{"order_id": f"{uuid4()}"} for _ in range(3_000)]

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    def try_it() -> None:
        with pytest.raises(OSError, match="File too large"):
            ingest(FolderStore.open(tmp_path), ORDERS, records, batch="night", now=TEN)

    assert in_a_fork(try_it, fill) == 0
    store = FolderStore.open(tmp_path)
    assert [stored.key for stored in store.list("raw/")] == []
    done = ingest(store, ORDERS, records, batch="night", now=TEN + timedelta(hours=2))
    assert done.arrived == TEN
    assert [json.loads(line) for line in unpacked(store, done.keys[0])] == records


def ingest_in_a_folder(batch: Batch, root: Path, now: datetime) -> Ingested:
    return batch.ingest(FolderStore.open(root), now)


def in_a_fork(work: Callable[[], object], before: Callable[[], None]) -> int:
    """Run something in a fork of this process; return its exit status, negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            before()
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_before_write(left: int) -> None:
    """Let this process make so many steps on its files, and kill it before the next one."""

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in _WRITES:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)
