"""A simulated customer database behind DMS: random transactions, the log they leave, and what was true when."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

ATTRIBUTES = ("name", "segment", "region", "email", "phone", "address", "age", "income")
BEGINNING_OF_TIME = datetime.min
START = datetime(2024, 1, 1)
INSTANT = timedelta(microseconds=1)

Customer = tuple[str | None, ...]
"""The attributes of a customer, in the order of ATTRIBUTES."""


@dataclass(frozen=True)
class Change:
    """A row of the log.

    Attributes:
        number: its place in the log; the lake is never told.
        committed: None for a row of a full load without a time, which came before every change.
        operation: I, U or D; None for a row of a full load.
        customer: as the row has it; for a delete what was deleted, or nothing.
    """

    number: int
    committed: datetime | None
    operation: str | None
    customer_id: str
    customer: Customer

    @property
    def moment(self) -> datetime:
        return self.committed or BEGINNING_OF_TIME

    @property
    def outcome(self) -> Customer | None:
        return None if self.operation == "D" else self.customer


class History:
    """What was true of each customer, and since when."""

    def __init__(self) -> None:
        self._moments: dict[str, list[datetime]] = defaultdict(list)
        self._states: dict[str, list[Customer | None]] = defaultdict(list)

    def record(self, customer_id: str, moment: datetime, state: Customer | None) -> None:
        """Add what is true from `moment` on; moments never go back."""
        moments, states = self._moments[customer_id], self._states[customer_id]
        if moments and moments[-1] == moment:
            states[-1] = state
        else:
            moments.append(moment)
            states.append(state)

    def as_of(self, customer_id: str, moment: datetime) -> Customer | None:
        place = bisect_right(self._moments.get(customer_id, []), moment)
        return self._states[customer_id][place - 1] if place else None

    def moments(self, customer_id: str) -> Sequence[datetime]:
        """Return when the customer changed, in order."""
        return self._moments.get(customer_id, [])


def replay(changes: Iterable[Change]) -> History:
    """Return the history that these changes tell, in the order of the log."""
    history = History()
    for change in sorted(changes, key=lambda change: change.number):
        history.record(change.customer_id, change.moment, change.outcome)
    return history


class SourceDatabase:
    """Customers in a dict, changed by random transactions at strictly increasing times.

    Several changes of one customer in one transaction are an insert, an update and a delete in this order, each at
    most once: a log with no number within a commit says no more than that.
    """

    def __init__(self, random: Random, prefix: str, history: History) -> None:
        self.customers: dict[str, Customer] = {}
        self.history = history
        self.log: list[Change] = []
        self.loads: list[list[Change]] = []
        self.keys = [f"{prefix}-{number}" for number in range(random.randint(2, 8))]
        self._random = random
        self._now = START
        self._number = 0

    def start_with_customers(self) -> None:
        """Fill the table before the log begins."""
        for key in self._random.sample(self.keys, self._random.randint(1, len(self.keys))):
            self.customers[key] = self._new_customer()
            self.history.record(key, BEGINNING_OF_TIME, self.customers[key])

    def full_load(self, *, with_time: bool) -> None:
        """Read the table out as it is now; without a time only while nothing has changed."""
        if with_time and self._random.random() < 0.7:
            self._now += self._gap()
        committed = self._now if with_time else None
        operation = self._random.choice([None, "I"])
        self.loads.append(
            [
                Change(self._next_number(), committed, operation, key, customer)
                for key, customer in self.customers.items()
            ]
        )

    def transaction(self) -> None:
        """Commit one to four random changes."""
        self._now += self._gap()
        # How far each customer's insert, update and delete have come in this transaction.
        taken: dict[str, int] = defaultdict(int)
        for _ in range(self._random.choice([1, 1, 1, 2, 4])):
            self._change(self._random.choice(self.keys), taken)

    def _change(self, key: str, taken: dict[str, int]) -> None:
        if key not in self.customers:
            if taken[key] < 1:
                taken[key] = 1
                self._write("I", key, self._new_customer())
            return
        free = [other for other in self.keys if other not in self.customers and not taken[other]]
        kind = self._random.choice(["update", "update", "update", "nothing", "delete", "delete", "key"])
        if kind in ("update", "nothing") and taken[key] < 2:
            taken[key] = 2
            self._write("U", key, self._updated(self.customers[key]) if kind == "update" else self.customers[key])
        elif kind == "delete":
            taken[key] = 3
            self._write("D", key, self.customers[key])
        elif kind == "key" and free:
            new_key = self._random.choice(free)
            taken[key], taken[new_key] = 3, 1
            customer = self.customers[key]
            self._write("D", key, customer)
            self._write("I", new_key, customer)

    def _write(self, operation: str, key: str, customer: Customer) -> None:
        if operation == "D":
            del self.customers[key]
            # PostgreSQL logs the deleted row, or with the default replica identity its key alone.
            logged = customer if self._random.random() < 0.5 else (None,) * len(ATTRIBUTES)
        else:
            self.customers[key] = logged = customer
        self.log.append(Change(self._next_number(), self._now, operation, key, logged))
        self.history.record(key, self._now, self.customers.get(key))

    def _new_customer(self) -> Customer:
        return tuple(self._value(attribute) for attribute in ATTRIBUTES)

    def _updated(self, customer: Customer) -> Customer:
        changed = self._random.sample(ATTRIBUTES, self._random.randint(1, 4))
        return tuple(
            self._value(attribute) if attribute in changed else value
            for attribute, value in zip(ATTRIBUTES, customer, strict=True)
        )

    def _value(self, attribute: str) -> str | None:
        # Few values for some, so that a customer returns to what it was; many for others, so that none is confused.
        number = self._random.randrange(3 if attribute in ("segment", "region") else 10**6)
        return self._random.choice([*[f"{attribute} {number}"] * 4, None, "Zoë 'x', |"])

    def _gap(self) -> timedelta:
        return self._random.choice([INSTANT, timedelta(milliseconds=1), timedelta(minutes=7)]) * self._random.choice(
            [1, 1, self._random.randint(1, 10**4)]
        )

    def _next_number(self) -> int:
        self._number += 1
        return self._number


def random_database(random: Random, prefix: str, history: History) -> SourceDatabase:
    """Return a database after some transactions, with full loads at its beginning, under way or not at all.

    Its customers' names begin with `prefix`, so that many databases can share a lake and a history.
    """
    database = SourceDatabase(random, prefix, history)
    start = random.choice(["empty", "load without time", "load with time", "load under way"])
    if start != "empty":
        database.start_with_customers()
    if start.startswith("load with"):
        database.full_load(with_time=start == "load with time")
    transactions = random.randint(5, 40)
    loads = {random.randrange(transactions)} if start == "load under way" or random.random() < 0.3 else set()
    for number in range(transactions):
        database.transaction()
        if number in loads:
            database.full_load(with_time=True)
    return database


def inseparable(changes: Iterable[Change]) -> list[list[Change]]:
    """Return the changes in groups of those that only their file can put in order: one customer, one commit."""

    def commit(change: Change) -> tuple[str, datetime]:
        return change.customer_id, change.moment

    return [list(group) for _, group in groupby(sorted(changes, key=commit), key=commit)]
