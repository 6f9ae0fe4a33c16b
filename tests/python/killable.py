"""Work that tests start in a process of its own, to kill it there: functions in a module that `import` finds."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lakes import PROJECT

from datalake.cli import main
from datalake.encode import Record
from datalake.example import land_example
from datalake.landing import land_hourly
from datalake.storage import FolderStore

HOURS = 8
OBJECT_BYTES = 10_000_000
FIRST_HOUR = datetime(2024, 1, 15, tzinfo=UTC)
EXAMPLE_END = date(2024, 1, 8)


def body_of(records: Sequence[Record]) -> bytes:
    return random.Random(int(records[0]["hour"])).randbytes(1_000) * (OBJECT_BYTES // 1_000)


def land_hours(root: Path) -> None:
    hours = ((FIRST_HOUR + timedelta(hours=number), {"hour": number}) for number in range(HOURS))
    land_hourly(FolderStore.open(root), "orders", hours, body_of, ".json.gz")


def land_a_week(root: Path) -> None:
    """Land what `datalake example` lands, for a week."""
    land_example(FolderStore.open(root), EXAMPLE_END)


def check(root: Path) -> None:
    os.chdir(PROJECT)
    os.environ["DATALAKE_ROOT"] = str(root)
    sys.argv = ["datalake", "check"]
    main()
