"""Put the local Athena under load, and measure what it adds to the engine that it asks.

    python benchmarks/local_athena.py                          # 32 clients for five minutes, after three to warm up
    python benchmarks/local_athena.py --minutes 1 --clients 8

Each client writes a row and counts its table's rows, in turn with queries whose answer is known; several clients share
an Iceberg table, so that their commits meet. They work in rounds: at the end of each, every table must hold exactly the
rows whose INSERT succeeded, then tables and files go, and memory is read; what is more in the last rounds than in the
first after the warm-up is a leak. Overhead is the same query asked through Athena's API, its result file and pages of
rows included, and asked of the engine, in turns. It ends with 1 where an answer was wrong, a commit was lost, or memory
grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median
from typing import Any

import boto3
import psutil
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from athena_bench.bench import Bench

CLIENTS_A_TABLE = 8
RESETS = 20
PAIRS = 100
"""How often the same query is asked in both ways, for the overhead."""

ROUND = 30
"""Seconds of a round."""

COMPARED = 3
"""Rounds at either end whose memory is compared, by their median."""

MOST_GROWTH = 1.10
QUERY = "select count(*), sum(n) from unnest(sequence(1, 1000)) as t (n)"
ANSWER = ["1000", "500500"]
GONE_BY = "ICEBERG_COMMIT_ERROR"
"""What an INSERT may fail with, as on Athena: another commit was faster."""

console = Console()


@dataclass
class Load:
    """What the clients saw.

    Attributes:
        asked: statements, and how they ended.
        wrong: answers that were not right, in words.
        written: rows of each table whose INSERT succeeded.
        seconds: of each statement, from its start to its rows.
    """

    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, statement: str, state: str, seconds: float) -> None:
        """Note how a statement ended."""
        with self.lock:
            self.asked[f"{statement} {state}"] += 1
            self.seconds.append(seconds)


class Client:
    """One client of Athena's API, as a script with boto3 is one."""

    def __init__(self, bench: Bench) -> None:
        session: Any = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench", region_name=bench.region)
        self._athena = session.client("athena", endpoint_url=bench.url, config=Config(retries={"mode": "standard"}))
        self._pause = threading.Event()
        self._results = {"OutputLocation": f"s3://{bench.buckets[0]}/results/"}

    def ask(self, sql: str) -> tuple[str, list[list[str]]]:
        """Run a statement to its end: its state, or the reason of its failure, and its rows without the header."""
        started = self._athena.start_query_execution(QueryString=sql, ResultConfiguration=self._results)
        id_ = started["QueryExecutionId"]
        while True:
            status = self._athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]["Status"]
            if status["State"] in ("FAILED", "CANCELLED"):
                return status["StateChangeReason"], []
            if status["State"] == "SUCCEEDED":
                break
            self._pause.wait(0.02)
        rows = self._athena.get_query_results(QueryExecutionId=id_)["ResultSet"]["Rows"]
        return "SUCCEEDED", [[datum.get("VarCharValue", "") for datum in row["Data"]] for row in rows[1:]]


def work(bench: Bench, number: int, until: float, load: Load) -> None:
    """Be one client until a time."""
    client = Client(bench)
    table = f"load.t{number // CLIENTS_A_TABLE}"
    for turn in cycle(("insert", "count", "select", "select")):
        if time.monotonic() > until:
            return
        begin = time.monotonic()
        before = load.written[table]
        sql = {"insert": f"insert into {table} values ({number})", "count": f"select count(*) from {table}"}
        state, rows = client.ask(sql.get(turn, QUERY))
        load.saw(turn, state.partition(":")[0], time.monotonic() - begin)
        with load.lock:
            if turn == "insert" and state == "SUCCEEDED":
                load.written[table] += 1
            elif turn == "insert" and not state.startswith(GONE_BY):
                load.wrong.append(f"{sql[turn]}: {state}")
            elif turn == "count" and (state != "SUCCEEDED" or int(rows[0][0]) < before):
                load.wrong.append(f"{sql[turn]} of at least {before} rows: {state} {rows}")
            elif turn == "select" and rows != [ANSWER]:
                load.wrong.append(f"{QUERY}: {state} {rows}")


def memory() -> tuple[int, int]:
    """Bytes of memory that this process, which is the server, and the engine's processes hold."""
    own = psutil.Process()
    return own.memory_info().rss, sum(child.memory_info().rss for child in own.children(recursive=True))


def growth(samples: list[int]) -> float:
    """How much larger memory is after the last rounds than after the first."""
    return median(samples[-COMPARED:]) / median(samples[:COMPARED])


def play(bench: Bench, clients: int, load: Load) -> tuple[int, int]:
    """Let clients work for a round on tables of its own; return the memory that is held when all of it is gone."""
    client = Client(bench)
    tables = [f"load.t{number}" for number in range((clients - 1) // CLIENTS_A_TABLE + 1)]
    client.ask("create database load")
    for table in tables:
        state, _ = client.ask(
            f"create table {table} (n int) location 's3://{bench.buckets[0]}/{table}/' "
            "tblproperties ('table_type' = 'ICEBERG')"
        )
        assert state == "SUCCEEDED", state
    load.written.clear()
    until = time.monotonic() + ROUND
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(work, bench, number, until, load) for number in range(clients)]:
            done.result()
    for table in tables:
        rows = client.ask(f"select count(*) from {table}")[1]
        if rows != [[str(load.written[table])]]:
            load.wrong.append(f"{table} holds {rows}, but {load.written[table]} rows were written")
    bench.reset()
    return memory()


def millis(ask: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    begin = time.monotonic()
    ask()
    return (time.monotonic() - begin) * 1000


def overhead(bench: Bench) -> tuple[float, float]:
    """Median milliseconds of the query through the API, and of the engine alone."""
    assert bench.engine is not None
    engine, client = bench.engine, Client(bench)
    pairs = [(millis(lambda: client.ask(QUERY)), millis(lambda: engine.run(QUERY))) for _ in range(PAIRS)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def show(
    load: Load, ready: float, samples: list[tuple[int, int]], overheads: tuple[float, float], reset: float
) -> None:
    """Print the figures."""
    figures = Table("Figure", "Value")
    figures.add_row("warm start, until a query answers", f"{ready:.1f} s")
    for name, count in sorted(load.asked.items()):
        figures.add_row(name, str(count))
    figures.add_row("median of a statement", f"{median(load.seconds) * 1000:.0f} ms")
    figures.add_row("wrong answers and lost commits", str(len(load.wrong)))
    for which, name in enumerate(("server", "engine")):
        held = [sample[which] for sample in samples]
        figures.add_row(f"memory of the {name}", f"{held[-1] / 2**20:.0f} MiB, x {growth(held):.2f}")
    figures.add_row("median through the API, one client", f"{overheads[0]:.0f} ms")
    figures.add_row("median of the engine alone", f"{overheads[1]:.0f} ms")
    figures.add_row("reset", f"{reset:.0f} ms")
    console.print(figures)
    for wrong in load.wrong[:20]:
        console.print(wrong)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32, help="how many ask at once")
    parser.add_argument("--minutes", type=float, default=5, help="how long they ask")
    parser.add_argument("--warm-up", type=float, default=3, help="minutes before that")
    asked = parser.parse_args()

    bench = Bench()
    begin = time.monotonic()
    with bench:
        ready = time.monotonic() - begin
        load = Load()
        for _ in range(round(asked.warm_up * 60 / ROUND)):
            play(bench, asked.clients, load)
        load = Load(wrong=load.wrong)
        samples = [play(bench, asked.clients, load) for _ in range(max(1, round(asked.minutes * 60 / ROUND)))]
        overheads = overhead(bench)
        reset = median(millis(bench.reset) for _ in range(RESETS))
    show(load, ready, samples, overheads, reset)
    if load.wrong or any(growth([sample[which] for sample in samples]) > MOST_GROWTH for which in (0, 1)):
        sys.exit(1)


if __name__ == "__main__":
    main()
