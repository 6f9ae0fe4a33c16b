"""Faults on purpose while batches are ingested: whatever happens, the last try ends with every record there, once."""

from __future__ import annotations

import json
import resource
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from faulty_s3 import Fault, FaultyS3, faulty_s3
from ingesters import ORDERS, TEN, Batch, in_a_fork, ingest_with_kills, unpacked

from datalake.ingest import Ingested, ingest
from datalake.storage import FolderStore, S3Store, Store

RUNS_IN_A_BUCKET = 400
RUNS_IN_A_FOLDER = 600


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


def keys_by_batch(store: Store) -> dict[str, list[str]]:
    found = defaultdict(list)
    for prefix in ("raw/", "rejects/"):
        for stored in store.list(prefix):
            found["-".join(stored.key.split("-")[5:7])].append(stored.key)
    return found


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
        batch = Batch(pytestconfig.getoption("seed"), number)
        random = batch.random

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
    # From a process that is small, as each of 1,200 forks copies what its parent holds.
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        batches = range(RUNS_IN_A_FOLDER), repeat(pytestconfig.getoption("seed")), repeat(tmp_path)
        runs = list(process.map(ingest_with_kills, *batches, chunksize=RUNS_IN_A_FOLDER))
    store = FolderStore.open(tmp_path)
    assert not list(tmp_path.glob(".landing-*"))
    found = keys_by_batch(store)
    for run in runs:
        run.batch.assert_is_there_once(store, run.done, found[run.batch.name])
    assert sum(run.kills for run in runs) > RUNS_IN_A_FOLDER


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
