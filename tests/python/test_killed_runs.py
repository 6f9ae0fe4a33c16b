"""Runs killed at random moments: what was not finished is done by the next run, as if nothing had happened.

`--kills 1000` kills more runs. Each kill is a SIGKILL to a process of its own, on real files and a real database.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from dbt_server import start_process
from killable import HOURS, OBJECT_BYTES, check, land_a_week, land_hours
from lakes import Lake, Row
from test_dirt import FILES, THRESHOLDS

pytestmark = pytest.mark.server


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{request.config.getoption('--seed')} {request.node.name}")


def share_of_kills(request: pytest.FixtureRequest, share: float) -> int:
    kills: int = request.config.getoption("--kills")
    return max(1, round(kills * share))


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a lake but its database, hidden ones too."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("lake.duckdb")
    }


def landed(root: Path) -> list[Path]:
    return [path for path in (root / "raw").rglob("*") if path.is_file()]


def half_written(root: Path) -> list[Path]:
    return list(root.glob(".landing-*"))


def await_or_end(process: ForkServerProcess, condition: Callable[[], bool]) -> None:
    """Wait until something is seen from outside, or the process is at its end."""
    while process.is_alive() and not condition():
        time.sleep(0.0002)


def killed(process: ForkServerProcess) -> bool:
    """Kill a process; tell whether it had not come to its end before."""
    process.kill()
    process.join()
    return process.exitcode != 0


def do_whole(work: Callable[..., None], *arguments: object) -> None:
    process = start_process(work, *arguments)
    process.join()
    assert process.exitcode == 0


# Landing


def shown(root: Path) -> dict[str, bytes]:
    """Return what a reader of the lake would take for raw files."""
    return {key: body for key, body in contents(root).items() if key.startswith("raw/")}


def bytes_in_the_making(root: Path) -> int:
    """Return the size of the object that is being written, 0 between two."""
    sizes = [0]
    for path in (*half_written(root), *landed(root)):
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(size for size in sizes if size < OBJECT_BYTES)


def test_killed_landing_shows_whole_files_only_and_is_finished_by_the_next(
    request: pytest.FixtureRequest, tmp_path: Path, chance: random.Random
) -> None:
    land_hours(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    kills = left = share_of_kills(request, 0.2)
    in_a_write = 0
    root = tmp_path / "lake"
    while left:
        objects, size = chance.randrange(HOURS), chance.randrange(1, OBJECT_BYTES)
        process = start_process(land_hours, root)
        await_or_end(process, lambda: len(landed(root)) >= objects)  # noqa: B023 - awaited in this round
        await_or_end(process, lambda: bytes_in_the_making(root) >= size)  # noqa: B023
        left -= killed(process)
        in_a_write += bytes_in_the_making(root) > 0
        assert shown(root).items() <= whole.items()
        do_whole(land_hours, root)
        assert contents(root) == whole
        shutil.rmtree(root)
    assert in_a_write >= kills // 3, "the kills missed the writes"


def test_killed_example_is_finished_by_the_next(
    request: pytest.FixtureRequest, tmp_path: Path, chance: random.Random
) -> None:
    do_whole(land_a_week, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    root = tmp_path / "lake"
    kills = share_of_kills(request, 0.07)
    hits = 0
    for objects in sorted(chance.choices(range(len(whole)), k=kills)):
        process = start_process(land_a_week, root)
        await_or_end(process, lambda: len(landed(root)) > objects)  # noqa: B023 - awaited in this round
        hits += killed(process)
        assert shown(root).items() <= whole.items()
    assert hits >= kills // 2, "the kills came too late"
    do_whole(land_a_week, root)
    assert contents(root) == whole


# The check of raw files


BROKEN = {
    f"raw/orders/year=2024/month=01/day=18/hour={number:02}/orders.json.gz": random.Random(number).randbytes(3_000_000)
    for number in range(12)
}
"""No gzip: each is copied to errors/."""


def with_raw_files(lake: Lake, files: Mapping[str, bytes]) -> Lake:
    for key, body in files.items():
        lake.put(key, body)
    return lake


def ledger(lake: Lake) -> list[Row]:
    return lake.rows("select * exclude (checked_at) from curated_db.raw_files order by all")


def test_killed_check_is_finished_by_the_next(
    request: pytest.FixtureRequest, tmp_path: Path, chance: random.Random
) -> None:
    files = {**FILES[0], **FILES[2], **BROKEN}
    whole = with_raw_files(Lake(tmp_path / "whole"), files)
    started = time.monotonic()
    whole.check()
    duration = time.monotonic() - started
    entries, kept = ledger(whole), contents(whole.root)
    for number in range(share_of_kills(request, 0.13)):
        lake = with_raw_files(Lake(tmp_path / f"lake{number}"), files)
        process = start_process(check, lake.root)
        if number % 2:
            process.join(timeout=chance.uniform(0, duration))
        else:
            copies = chance.randrange(len(BROKEN))
            await_or_end(process, lambda: copied(lake.root) >= copies)  # noqa: B023
            await_or_end(process, lambda: bool(half_written(lake.root)))  # noqa: B023
        killed(process)
        do_whole(check, lake.root)
        assert ledger(lake) == entries
        assert contents(lake.root) == kept
        shutil.rmtree(lake.root)


def copied(root: Path) -> int:
    return len([path for path in (root / "errors").rglob("*") if path.is_file()])


# The models


ARRIVALS = len(FILES)
ORDERS_A_FILE = 4_000
KILLS_A_LAKE = 18


def arrival(number: int) -> dict[str, bytes]:
    """Return the hand-made dirt of an arrival and orders enough that writing them takes a while."""
    chance = random.Random(number)
    return {
        **FILES[number],
        **{
            f"raw/orders/year=2024/month=01/day={15 + number}/hour={hour}/orders.json.gz": gzip.compress(
                b"\n".join(orders(chance)), compresslevel=1, mtime=0
            )
            for hour in (20, 21)
        },
    }


def orders(chance: random.Random) -> Iterator[bytes]:
    """Yield versions of orders, a few of them broken, that later files have newer and older versions of."""
    for _ in range(ORDERS_A_FILE):
        order = chance.randrange(2 * ORDERS_A_FILE)
        created = datetime(2024, 1, 14) + timedelta(minutes=chance.randrange(3 * 24 * 60))
        yield json.dumps(
            {
                "order_id": f"o{order}",
                "customer_id": f"c{chance.randrange(300)}",
                "product_id": f"p{chance.randrange(300)}",
                "quantity": chance.randrange(5),
                "price": chance.randrange(10_000) / 100,
                "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
                "updated_at": f"{created + timedelta(minutes=chance.randrange(10_000)):%Y-%m-%dT%H:%M:%SZ}",
            }
        ).encode()


def everything(lake: Lake) -> dict[str, list[Row]]:
    """Return every table, and how far each model has come, without the moment of the check."""
    tables = lake.content()
    tables["curated_db.raw_files"] = ledger(lake)
    tables["curated_db.quarantine"] = lake.rows(
        "select * exclude (quarantined_at) from curated_db.quarantine order by all"
    )
    tables["analytics_db.quality_results"] = lake.rows(
        "select * exclude (checked_at) from analytics_db.quality_results order by all"
    )
    tables["curated_db.model_progress"] = lake.rows("from curated_db.model_progress order by all")
    return tables


def take_in(lake: Lake, number: int) -> None:
    with_raw_files(lake, arrival(number))
    do_whole(check, lake.root)


def kill_a_run(lake: Lake, models: int, longest: float, chance: random.Random) -> bool:
    """Run the models and kill the run a random time after a random model's start; tell whether it was still running."""
    model = chance.randrange(models) + 1
    delay = chance.uniform(0, longest)
    run = lake.start_dbt("run", variables=THRESHOLDS)
    await_or_end(run.process, lambda: f" {model} of {models} START " in run.printed())
    run.process.join(timeout=delay)
    run.kill()
    run.output.unlink(missing_ok=True)
    return run.wait() != 0


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[dict[str, list[Row]]]]:
    """The number of models that a run takes, and what the lake holds after each arrival, never killed."""
    lake = Lake(tmp_path_factory.mktemp("unkilled") / "lake")
    states = []
    for number in range(ARRIVALS):
        take_in(lake, number)
        said = lake.dbt("run", variables=THRESHOLDS)
        states.append(everything(lake))
    return said.count(" START sql "), states


def test_killed_runs_leave_the_tables_of_a_lake_never_killed(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    chance: random.Random,
    unkilled: tuple[int, list[dict[str, list[Row]]]],
) -> None:
    models, states = unkilled
    left = share_of_kills(request, 0.6)
    while left:
        lake = Lake(tmp_path / f"lake{left}")
        for number in range(ARRIVALS):
            take_in(lake, number)
            for _ in range(min(left, KILLS_A_LAKE // ARRIVALS)):
                left -= kill_a_run(lake, models, 0.3, chance)
            lake.dbt("run", variables=THRESHOLDS)
            found = everything(lake)
            differing = [table for table in states[number] if found[table] != states[number][table]]
            assert differing == [], f"after arrival {number + 1}"
        shutil.rmtree(lake.root)
