"""Simulated customer databases, their change logs in any interleaving, and what the lake must know of them.

The expected values are the databases' own states. After the last run they are what the databases held; between
runs, what a replay of the changes that have landed so far gives.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from itertools import pairwise
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import Lake, Row
from source_database import (
    ATTRIBUTES,
    BEGINNING_OF_TIME,
    INSTANT,
    START,
    Change,
    Customer,
    History,
    SourceDatabase,
    inseparable,
    random_database,
    replay,
)

pytestmark = pytest.mark.server

RUNS = 6
UNKNOWN = "(unknown)"
END_OF_TIME = datetime.max
DIMENSION_ATTRIBUTES = ("segment", "region", "age", "income")


def as_in_dimension(customer: Customer | None) -> Customer | None:
    return customer and tuple(customer[ATTRIBUTES.index(attribute)] for attribute in DIMENSION_ATTRIBUTES)


# What lands ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChangeFile:
    """A Parquet file of the change log, which lands before the run of that number."""

    run: int
    key: str
    changes: tuple[Change, ...]
    body: bytes


@dataclass(frozen=True)
class OrderVersion:
    """A version of an order, which lands before the run of that number."""

    run: int
    order_id: str
    customer_id: str | None
    created_at: datetime
    updated_at: datetime | None
    price: int

    @property
    def version_at(self) -> datetime:
        return self.updated_at or self.created_at

    def line(self) -> str:
        times = {"created_at": self.created_at, "updated_at": self.updated_at}
        order = {"order_id": self.order_id, "customer_id": self.customer_id, "product_id": "p1", "quantity": 1}
        paid = {"price": self.price, "discount": 0}
        return json.dumps(order | paid | {name: time.isoformat() for name, time in times.items() if time})


@dataclass(frozen=True)
class Landing:
    """Everything that lands, over all runs, and the history that it tells of."""

    truth: History
    files: tuple[ChangeFile, ...]
    orders: tuple[OrderVersion, ...]

    def changes_until(self, run: int) -> list[Change]:
        return [change for file in self.files if file.run <= run for change in file.changes]

    def orders_until(self, run: int) -> dict[str, OrderVersion]:
        """Return the newest version of each order."""
        landed = sorted((order for order in self.orders if order.run <= run), key=lambda order: order.version_at)
        return {order.order_id: order for order in landed}


def random_landing(seed: int, histories: int) -> Landing:
    """Return the interleavings of `histories` databases, each the same whatever their number."""
    truth = History()
    files: list[ChangeFile] = []
    orders: list[OrderVersion] = []
    for number in range(histories):
        random = Random(f"{seed}-{number}")
        database = random_database(random, f"db{number}", truth)
        files += random_files(random, database, f"db{number}")
        orders += random_orders(random, database, f"db{number}")
    return Landing(truth, tuple(files), tuple(orders))


def random_files(random: Random, database: SourceDatabase, name: str) -> Iterator[ChangeFile]:
    """Yield the log in batches and the full loads, in folders of any age, more or less out of order and repeated.

    Some logs are in order and without repeats, though any of their files may be late: only these split a customer's
    changes of one commit over files, since the last to arrive counts.
    """
    is_in_order = random.random() < 0.3
    disorder = 0.0 if is_in_order else random.choice([0.0, 0.1, 1.0])
    repeats = 0.0 if is_in_order else random.choice([0.0, 0.2])
    pieces = [[change] for change in database.log] if is_in_order else inseparable(database.log)
    batches: list[list[Change]] = [[] for _ in range(len(pieces) // 3 + 2 if is_in_order else random.randint(2, 9))]
    fill(batches, random, pieces, disorder, repeats)
    landings = list(enumerate(batches + database.loads))
    landings += [landing for landing in landings if random.random() < repeats]
    runs = [random.randint(1, RUNS) for _ in landings]
    if random.random() < 0.5:
        runs.sort()
    for copy, (run, (number, changes)) in enumerate(zip(runs, landings, strict=True)):
        if changes:
            hours = number if is_in_order else random_hours(random, changes)
            folder = f"{START + timedelta(hours=hours):year=%Y/month=%m/day=%d/hour=%H}"
            yield ChangeFile(
                run, f"raw/customers/{folder}/{name}-{copy:02}.parquet", tuple(changes), parquet(random, changes)
            )


def fill(
    batches: Sequence[list[Change]], random: Random, pieces: Sequence[list[Change]], disorder: float, repeats: float
) -> None:
    """Put the pieces of a log into batches, a share of them out of order and a share of them twice."""
    for place, piece in enumerate(sorted(pieces, key=lambda piece: piece[0].number)):
        in_order = place * len(batches) // len(pieces)
        batches[random.randrange(len(batches)) if random.random() < disorder else in_order] += piece
        if random.random() < repeats:
            random.choice(batches).extend(piece)


def random_hours(random: Random, changes: Sequence[Change]) -> int:
    """Return a file's folder as hours from the start: that of its newest change, or any other."""
    newest = max(max(change.moment for change in changes), START)
    return random.choice([(newest - START) // timedelta(hours=1), random.randrange(20_000)])


def parquet(random: Random, changes: Sequence[Change]) -> bytes:
    """Return the changes as DMS writes them, in any order, maybe with a row or two that no model may take."""
    with_operation = any(change.operation for change in changes)
    rows = [
        (
            change.operation,
            change.committed and time_as_text(random, change.committed),
            change.customer_id,
            *change.customer,
        )
        for change in random.sample(changes, len(changes))
    ]
    operation, _, *rest = random.choice(rows)
    broken = [(operation, "2024-02-30 00:00:00.000000", *rest), ("X", "2024-01-01 00:00:00.000000", *rest)]
    rows += random.choice([[], broken if with_operation else broken[:1]])
    names = ("Op", "commit_ts", "customer_id", *ATTRIBUTES)
    columns = {
        name: pa.array(values, pa.string())
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
        if name != "Op" or with_operation
    }
    body = BytesIO()
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


def time_as_text(random: Random, moment: datetime) -> str:
    ahead = (moment + timedelta(hours=2)).isoformat(timespec="microseconds") + "+02:00"
    utc = moment.isoformat(timespec="microseconds") + "Z"
    return random.choice([f"{moment:%Y-%m-%d %H:%M:%S.%f}", utc, ahead])


def random_orders(random: Random, database: SourceDatabase, name: str) -> Iterator[OrderVersion]:
    """Yield orders of known and unknown customers, many at the instants around a change, some in two versions."""
    customer_ids = [*database.keys, f"{name}-nobody", None]
    for number in range(40):
        run = random.randint(1, RUNS)
        for version in range(random.choice([1, 1, 1, 2])):
            customer_id = random.choice(customer_ids)
            yield OrderVersion(
                # The newer version may land first.
                run=run if version == 0 else random.randint(1, RUNS),
                order_id=f"{name}-order-{number}",
                customer_id=customer_id,
                created_at=random_order_time(random, database, customer_id),
                updated_at=datetime(2040, 1, 1) if version else None,
                price=random.randint(1, 100),
            )


def random_order_time(random: Random, database: SourceDatabase, customer_id: str | None) -> datetime:
    begun = [START, *(database.history.moments(customer_id) if customer_id else [])]
    boundary = max(random.choice(begun), START) + random.choice([-INSTANT, timedelta(), INSTANT])
    end = max(*begun, START + timedelta(days=1))
    return random.choice(
        [boundary, boundary, START + random.random() * (end - START), datetime(1000, 1, 1), end + timedelta(days=30)]
    )


# What the lake must know ---------------------------------------------------------------------------------------------


class Told:
    """What a lake must answer that was told these changes of a history."""

    def __init__(self, truth: History, changes: Iterable[Change]) -> None:
        self._truth = truth
        self._moments: dict[str, list[datetime]] = defaultdict(list)
        for change in changes:
            self._moments[change.customer_id].append(change.moment)
        for moments in self._moments.values():
            moments.sort()

    @property
    def customer_ids(self) -> list[str]:
        return sorted(self._moments)

    def as_of(self, customer_id: str | None, moment: datetime) -> Customer | None:
        """Return the truth; before the first moment the lake was told of, what was true at that."""
        if customer_id not in self._moments:
            return None
        return self._truth.as_of(customer_id, max(moment, self._moments[customer_id][0]))

    def now(self) -> dict[str, Customer]:
        states = {customer_id: self.as_of(customer_id, END_OF_TIME) for customer_id in self.customer_ids}
        return {customer_id: state for customer_id, state in states.items() if state}

    def last_change(self, customer_id: str) -> datetime:
        return self._moments[customer_id][-1]

    def telling_moments(self, customer_id: str) -> list[datetime]:
        """Return both ends of time, the instants around each change, and a moment between any two."""
        changes = sorted({START, *self._moments[customer_id]} - {BEGINNING_OF_TIME})
        around = [moment + step for moment in changes for step in (-INSTANT, timedelta(), INSTANT)]
        between = [before + (after - before) / 2 for before, after in pairwise(changes)]
        return [BEGINNING_OF_TIME, *around, *between, END_OF_TIME]


@dataclass(frozen=True)
class Version:
    """A row of dim_customer."""

    customer_key: str
    customer_id: str
    customer: Customer
    valid_from: datetime
    valid_to: datetime | None
    is_current: bool

    def is_valid_at(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


@dataclass(frozen=True)
class AfterRun:
    """What the lake holds after a run, and what had landed by then."""

    run: int
    told: Told
    orders: dict[str, OrderVersion]
    customers: list[Row]
    versions: list[Version]
    facts: list[Row]
    totals: list[Row]
    unexplained: list[Row]

    @property
    def history(self) -> dict[str, list[Version]]:
        """The versions of each customer in their order."""
        by_customer: dict[str, list[Version]] = {customer_id: [] for customer_id in self.told.customer_ids}
        for version in sorted(self.versions, key=lambda version: version.valid_from):
            by_customer.setdefault(version.customer_id, []).append(version)
        return by_customer


def after_run(lake: Lake, landing: Landing, run: int) -> AfterRun:
    changes = landing.changes_until(run)
    versions = lake.rows(
        f"select customer_key, customer_id, {', '.join(DIMENSION_ATTRIBUTES)}, valid_from, valid_to, is_current "
        f"from analytics_db.dim_customer where customer_key <> '{UNKNOWN}'"
    )
    return AfterRun(
        run=run,
        told=Told(landing.truth if run == RUNS else replay(changes), changes),
        orders=landing.orders_until(run),
        customers=lake.rows(f"select customer_id, {', '.join(ATTRIBUTES)}, updated_at from curated_db.customers"),
        versions=[Version(key, customer_id, tuple(rest[:-3]), *rest[-3:]) for key, customer_id, *rest in versions],
        facts=lake.rows("select order_id, customer_id, created_at, total, customer_key from analytics_db.fct_orders"),
        totals=lake.rows(
            "select customer_id, is_in_customer_database, segment, region, order_count, total_spent "
            "from analytics_db.customer_360"
        ),
        unexplained=lake.rows("from curated_db.reconciliation where unexplained_rows <> 0"),
    )


# The tests -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interleavings:
    """A lake after its last run, and what it held after each."""

    lake: Lake
    content: dict[str, list[Row]]
    runs: tuple[AfterRun, ...]


@pytest.fixture(scope="module")
def interleavings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Interleavings:
    lake = Lake(tmp_path_factory.mktemp("change-log") / "lake")
    landing = random_landing(request.config.getoption("--seed"), request.config.getoption("--histories"))
    runs: list[AfterRun] = []
    for run in range(1, RUNS + 1):
        for file in landing.files:
            if file.run == run:
                lake.put(file.key, file.body)
        orders = [order.line() for order in landing.orders if order.run == run]
        lake.put(f"raw/orders/year=2024/month=01/day=01/hour={run:02}/orders.json", "\n".join([*orders, ""]).encode())
        lake.check()
        lake.dbt("run")
        runs.append(after_run(lake, landing, run))
    return Interleavings(lake, lake.content(), tuple(runs))


def differences(expected: set[Row], found: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return the first rows that are missing, unexpected or there twice."""
    twice = [row for row in found if found.count(row) > 1] if len(found) != len(set(found)) else []
    missing, unexpected = expected - set(found), set(found) - expected
    named = [("missing", missing), ("unexpected", unexpected), ("twice", twice)]
    return [(name, row) for name, rows in named for row in sorted(rows, key=str)[:5]]


def test_customers_are_what_the_source_database_holds(interleavings: Interleavings) -> None:
    for after in interleavings.runs:
        expected: set[Row] = {
            (customer_id, *customer, after.told.last_change(customer_id))
            for customer_id, customer in after.told.now().items()
        }
        assert differences(expected, after.customers) == [], f"run {after.run}"


def test_customer_dimension_is_right_at_every_point_in_time(interleavings: Interleavings) -> None:
    for after in interleavings.runs:
        for customer_id, versions in after.history.items():
            for moment in after.told.telling_moments(customer_id):
                customer = as_in_dimension(after.told.as_of(customer_id, moment))
                valid = [version.customer for version in versions if version.is_valid_at(moment)]
                assert valid == ([customer] if customer else []), f"run {after.run}: {customer_id} at {moment}"


def test_customer_history_has_no_overlap_and_no_empty_version(interleavings: Interleavings) -> None:
    for after in interleavings.runs:
        keys = [version.customer_key for version in after.versions]
        assert len(keys) == len(set(keys)), f"run {after.run}"
        for customer_id, versions in after.history.items():
            for version in versions:
                assert version.valid_from < (version.valid_to or END_OF_TIME), f"run {after.run}: {version}"
                assert version.is_current == (version.valid_to is None), f"run {after.run}: {version}"
            for version, following in pairwise(versions):
                assert (version.valid_to or END_OF_TIME) <= following.valid_from, f"run {after.run}: {version}"
            current = [version.customer for version in versions if version.is_current]
            customer = as_in_dimension(after.told.as_of(customer_id, END_OF_TIME))
            assert current == ([customer] if customer else []), f"run {after.run}: {customer_id}"


def test_every_order_is_one_fact(interleavings: Interleavings) -> None:
    for after in interleavings.runs:
        expected: set[Row] = {
            (order.order_id, order.customer_id, order.created_at, order.price) for order in after.orders.values()
        }
        assert differences(expected, [fact[:-1] for fact in after.facts]) == [], f"run {after.run}"


def test_fact_joins_the_version_that_was_true_at_its_time_or_the_unknown_customer(interleavings: Interleavings) -> None:
    for after in interleavings.runs:
        versions = {version.customer_key: version for version in after.versions}
        for order_id, customer_id, created_at, _, customer_key in after.facts:
            where = f"run {after.run}: {order_id} of {customer_id} at {created_at} has {customer_key}"
            customer = as_in_dimension(after.told.as_of(customer_id, created_at))
            assert (customer_key == UNKNOWN) == (customer is None), where
            if customer:
                version = versions[customer_key]
                assert (version.customer_id, version.customer) == (customer_id, customer), where
                assert version.is_valid_at(created_at), where


def test_customer_360_holds_the_customers_of_the_source_database_and_of_the_orders(
    interleavings: Interleavings,
) -> None:
    for after in interleavings.runs:
        customers = after.told.now()
        prices: dict[str, list[int]] = {customer_id: [] for customer_id in customers}
        for order in after.orders.values():
            if order.customer_id:
                prices.setdefault(order.customer_id, []).append(order.price)
        expected: set[Row] = {
            (
                customer_id,
                customer_id in customers,
                *segment_and_region(customers.get(customer_id)),
                len(paid),
                sum(paid),
            )
            for customer_id, paid in prices.items()
        }
        assert differences(expected, after.totals) == [], f"run {after.run}"


def segment_and_region(customer: Customer | None) -> Customer:
    return customer[1:3] if customer else (None, None)


def test_every_raw_row_is_explained(interleavings: Interleavings) -> None:
    assert [after.unexplained for after in interleavings.runs] == [[]] * RUNS


def test_full_refresh_equals_the_runs(interleavings: Interleavings) -> None:
    interleavings.lake.dbt("run", "--full-refresh")
    rebuilt = interleavings.lake.content()
    assert rebuilt.keys() == interleavings.content.keys()
    for relation, rows in interleavings.content.items():
        assert rebuilt[relation] == rows, relation
