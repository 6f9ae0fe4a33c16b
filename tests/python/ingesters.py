"""Batches of random size that ingesters, killed and whole, bring into a lake."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from lakes import PROJECT

from datalake.ingest import Ingested, Unfit, ingest
from datalake.sources import load_sources
from datalake.storage import FolderStore, Store

ORDERS = load_sources(PROJECT / "models" / "raw")["orders"]
TEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
_WRITES = ("open", "os.link", "os.mkdir", "os.remove", "os.chmod", "tempfile.mkstemp")


class Batch:
    """A batch of random size, with unfit records among the others, and clocks that are hours apart."""

    def __init__(self, seed: object, number: int) -> None:
        self.random = random = Random(f"{seed}-{number}")
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


def unpacked(store: Store, key: str) -> list[bytes]:
    with store.read(key) as file:
        return gzip.decompress(file.read()).splitlines()


@dataclass(frozen=True)
class Run:
    """A batch that was ingested at last, after `kills` ingesters were killed at it."""

    batch: Batch
    done: Ingested
    kills: int


def ingest_with_kills(number: int, seed: object, root: Path) -> Run:
    """Kill one to three ingesters of a batch, each before some write if it gets that far; then let one end."""
    batch = Batch(seed, number)
    kills = 0
    for _ in range(batch.random.randint(1, 3)):
        kill = partial(_kill_before_write, batch.random.randint(0, 25))
        now = batch.skewed_clock()
        kills += in_a_fork(partial(_ingest_in_a_folder, batch, root, now), kill) == -signal.SIGKILL
    return Run(batch, _ingest_in_a_folder(batch, root, batch.skewed_clock()), kills)


def _ingest_in_a_folder(batch: Batch, root: Path, now: datetime) -> Ingested:
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


def _kill_before_write(left: int) -> None:
    """Let this process make so many steps on its files, and kill it before the next one."""

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in _WRITES:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)
