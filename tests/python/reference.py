"""What every table of the lake must hold, computed from the raw files in plain Python.

Written from the requirements and the descriptions of the columns, not from the models: no SQL, no engine. It reads the
whole raw folder at once, so it knows nothing of increments, either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from reference_files import CUSTOMER_FACTS, EVENT_COLUMNS, MODELLED, PRODUCT_COLUMNS, RawFile, read_files
from reference_rows import BEGINNING_OF_TIME, Version, typed_versions

Row = tuple[Any, ...]

UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class Table:
    """A table as it must be: the columns that are computed here, and the rows in any order."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class Settings:
    """The vars of the project that the tables depend on."""

    calendar_start: date = date(2020, 1, 1)
    calendar_end: date = date(2029, 12, 31)
    completeness_of_customer_id: float = 0.99
    uniqueness_of_order_id: float = 0.9999
    row_count: int = 1000


def expected_tables(root: Path, settings: Settings | None = None) -> dict[str, Table]:
    """Return every table by its name, for the files of a lake."""
    return _Lake(read_files(root), settings or Settings()).tables()


class _Lake:
    def __init__(self, files: list[RawFile], settings: Settings) -> None:
        self.files = files
        self.settings = settings
        self.versions: dict[str, list[Version]] = {dataset: [] for dataset in MODELLED}
        for file in files:
            if file.dataset in MODELLED:
                self.versions[file.dataset].extend(typed_versions(file))
        self.orders = _newest(self.sound("orders"))
        self.users = _newest(self.sound("users"))
        self.products = _newest(self.sound("products"))
        self.events = _newest(self.sound("events") + self.sound("api_events"))
        self.history = _history(self.sound("customers"))
        self.customers = {
            key: changes[-1] for key, changes in self.history.items() if not changes[-1].facts["is_delete"]
        }

    def sound(self, dataset: str) -> list[Version]:
        return [version for version in self.versions[dataset] if not version.reasons]

    def tables(self) -> dict[str, Table]:
        order_columns = "order_id customer_id product_id quantity price discount total order_date created_at updated_at"
        return {
            "curated_db.orders": _current(self.orders, f"{order_columns} source_file"),
            "curated_db.users": _current(
                self.users, "user_id customer_id email phone newsletter created_at updated_at source_file"
            ),
            "curated_db.products": _current(self.products, f"{' '.join(PRODUCT_COLUMNS)} source_file"),
            "curated_db.events": _current(self.events, f"{' '.join(EVENT_COLUMNS)} source source_file"),
            "curated_db.customers": self.customer_table(),
            "curated_db.customer_versions": self.version_table(),
            "curated_db.quarantine": self.quarantine(),
            "curated_db.reconciliation": self.reconciliation(),
            "analytics_db.daily_sales": self.daily_sales(),
            "analytics_db.product_metrics": self.product_metrics(),
            "analytics_db.product_performance": self.product_performance(),
            "analytics_db.customer_360": self.customer_360(),
            "analytics_db.dim_date": self.dim_date(),
            "analytics_db.dim_customer": self.dim_customer(),
            "analytics_db.dim_product": self.dim_product(),
            "analytics_db.fct_orders": self.fct_orders(),
            "analytics_db.quality_results": self.quality_results(),
        }

    def customer_table(self) -> Table:
        columns = ("customer_id", *CUSTOMER_FACTS, "source_file")
        rows = [(*_facts(version, columns), version.version_at) for version in self.customers.values()]
        return Table((*columns, "updated_at"), rows)

    def version_table(self) -> Table:
        columns = ("customer_id", "is_delete", *CUSTOMER_FACTS, "source_file")
        rows = []
        for changes in self.history.values():
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                ended = following is not None and following.facts["is_delete"]
                rows.append((*_facts(change, columns), change.version_at, following and following.version_at, ended))
        return Table((*columns, "version_at", "next_version_at", "ended_by_delete"), rows)

    def standing(self, dataset: str, key: str | None) -> Version | None:
        tables = {
            "orders": self.orders,
            "users": self.users,
            "products": self.products,
            "events": self.events,
            "api_events": self.events,
            "customers": self.customers,
        }
        return tables[dataset].get(key) if key is not None else None

    def quarantine(self) -> Table:
        rows: list[Row] = [
            (file.dataset, None, file.reason, None, file.key, file.arrived, False) for file in self.files if file.reason
        ]
        for dataset, versions in self.versions.items():
            for version in versions:
                if not version.reasons:
                    continue
                stands = self.standing(dataset, version.key)
                rows.append(
                    (
                        dataset,
                        version.key,
                        ",".join(version.reasons),
                        version.record.text,
                        version.file.key,
                        version.file.arrived,
                        stands is not None and _is_older(stands, version),
                    )
                )
        columns = ("dataset", "record_key", "reasons", "raw_record", "source_file", "arrived", "older_version_stands")
        return Table(columns, rows)

    def reconciliation(self) -> Table:
        curated = {
            "orders": list(self.orders.values()),
            "users": list(self.users.values()),
            "products": list(self.products.values()),
            "customers": list(self.customers.values()),
            "events": [version for version in self.events.values() if version.file.dataset == "events"],
            "api_events": [version for version in self.events.values() if version.file.dataset == "api_events"],
        }
        rows = []
        for dataset in sorted({*MODELLED, *(file.dataset for file in self.files)}):
            broken_files = sum(file.dataset == dataset and file.reason is not None for file in self.files)
            versions = self.versions.get(dataset, [])
            sound = sum(not version.reasons for version in versions)
            current = len(curated.get(dataset, []))
            deleted = self.deleted_rows() if dataset == "customers" else 0
            quarantined = len(versions) - sound + broken_files
            superseded = sound - current - deleted
            rows.append((dataset, len(versions) + broken_files, current, superseded, deleted, quarantined, 0, 0))
        columns = "raw_rows curated_rows superseded_rows deleted_rows quarantined_rows expired_rows unexplained_rows"
        return Table(("dataset", *columns.split()), rows)

    def deleted_rows(self) -> int:
        """Count the deletes and the versions that they ended."""
        count = 0
        for changes in self.history.values():
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                count += change.facts["is_delete"] or (following is not None and following.facts["is_delete"])
        return count

    def daily_sales(self) -> Table:
        rows = []
        for day, orders in _grouped(self.orders.values(), "order_date").items():
            revenue = _sum(orders, "total")
            rows.append(
                (
                    *(day, len(orders), _different(orders, "customer_id"), _sum(orders, "quantity")),
                    *(_sum(orders, "discount"), revenue, float(revenue) / len(orders)),
                )
            )
        return Table(
            (
                "order_date",
                "order_count",
                "customer_count",
                "items_sold",
                "total_discount",
                "revenue",
                "average_order_value",
            ),
            rows,
        )

    def orders_by_product(self) -> dict[str, list[Version]]:
        groups: dict[str, list[Version]] = defaultdict(list)
        for order in self.orders.values():
            groups[order.facts["product_id"] or UNKNOWN].append(order)
        return groups

    def product_metrics(self) -> Table:
        rows = []
        for product_id, of_product in self.orders_by_product().items():
            for day, orders in _grouped(of_product, "order_date").items():
                rows.append(
                    (
                        *(day, product_id, len(orders), _different(orders, "customer_id"), _sum(orders, "quantity")),
                        *(_sum(orders, "discount"), _sum(orders, "total")),
                    )
                )
        return Table(
            ("order_date", "product_id", "order_count", "customer_count", "items_sold", "total_discount", "revenue"),
            rows,
        )

    def product_performance(self) -> Table:
        rows = []
        for product_id, orders in self.orders_by_product().items():
            product = self.products.get(product_id)
            days = {order.facts["order_date"] for order in orders}
            told = _facts(product, PRODUCT_COLUMNS[1:6]) if product else (None,) * 5
            rows.append(
                (
                    *(product_id, *told, len(orders), _sum(orders, "quantity"), _sum(orders, "discount")),
                    *(_sum(orders, "total"), len(days), min(days), max(days)),
                )
            )
        columns = (
            "product_id name category department brand list_price order_count items_sold total_discount revenue "
            "days_sold first_sold_on last_sold_on"
        )
        return Table(tuple(columns.split()), rows)

    def customer_360(self) -> Table:
        orders_of = _grouped(self.orders.values(), "customer_id")
        users_of = _grouped(self.users.values(), "customer_id")
        events_of = _grouped(self.events.values(), "customer_id")
        rows = []
        for customer_id in {*self.customers, *orders_of}:
            customer = self.customers.get(customer_id)
            orders, events = orders_of.get(customer_id, []), events_of.get(customer_id, [])
            days = {order.facts["order_date"] for order in orders}
            rows.append(
                (
                    customer_id,
                    customer is not None,
                    *(_facts(customer, ("segment", "region")) if customer else (None, None)),
                    any(user.facts["newsletter"] for user in users_of.get(customer_id, [])),
                    *(len(orders), _sum(orders, "total"), len(days)),
                    *(min(days, default=None), max(days, default=None), len(events)),
                    sum(event.facts["event_type"] == "coupon_redeemed" for event in events),
                )
            )
        columns = (
            "customer_id is_in_customer_database segment region takes_newsletter order_count total_spent "
            "days_ordered first_order_on last_order_on event_count coupons_redeemed"
        )
        return Table(tuple(columns.split()), rows)

    def dim_date(self) -> Table:
        start, end = self.settings.calendar_start, self.settings.calendar_end
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
        rows: list[Row] = [(0, *[None] * 7)]
        for day in days:
            parts = (day.year, (day.month + 2) // 3, day.month, day.day)
            rows.append((_date_key(day), day, *parts, day.isoweekday(), day.isoweekday() > 5))
        columns = (
            "date_key calendar_date calendar_year calendar_quarter calendar_month day_of_month day_of_week is_weekend"
        )
        return Table(tuple(columns.split()), rows)

    def validities(self) -> Iterator[tuple[str, Version, datetime, datetime | None]]:
        """Yield each version of a customer that is not a delete: its key, and from when until when it counts."""
        for customer_id, changes in self.history.items():
            number = 0
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                if change.facts["is_delete"]:
                    continue
                number += 1
                since = BEGINNING_OF_TIME if change is changes[0] else change.version_at
                assert since is not None
                yield f"{customer_id}-{number}", change, since, following.version_at if following else None

    def dim_customer(self) -> Table:
        facts = ("customer_id", "segment", "region", "age", "income")
        rows: list[Row] = [(UNKNOWN, *[None] * 5, BEGINNING_OF_TIME, None, True)]
        for key, version, since, until in self.validities():
            rows.append((key, *_facts(version, facts), since, until, until is None))
        return Table(("customer_key", *facts, "valid_from", "valid_to", "is_current"), rows)

    def dim_product(self) -> Table:
        facts = PRODUCT_COLUMNS[:6]
        rows: list[Row] = [(UNKNOWN, *[None] * 6)]
        rows += [(key, *_facts(product, facts)) for key, product in self.products.items()]
        return Table(("product_key", *facts[:5], "list_price"), rows)

    def fct_orders(self) -> Table:
        facts = (
            *("order_id", "order_date", "customer_id", "product_id", "created_at"),
            *("quantity", "price", "discount", "total"),
        )
        validities = defaultdict(list)
        for key, version, since, until in self.validities():
            validities[version.key].append((key, since, until))
        rows = []
        for order in self.orders.values():
            day, created_at = order.facts["order_date"], order.facts["created_at"]
            in_calendar = self.settings.calendar_start <= day <= self.settings.calendar_end
            customer_keys = [
                key
                for key, since, until in validities[order.facts["customer_id"]]
                if since <= created_at and (until is None or created_at < until)
            ]
            product_id = order.facts["product_id"]
            rows.append(
                (
                    *_facts(order, facts),
                    _date_key(day) if in_calendar else 0,
                    customer_keys[0] if customer_keys else UNKNOWN,
                    product_id if product_id in self.products else UNKNOWN,
                )
            )
        return Table((*facts, "date_key", "customer_key", "product_key"), rows)

    def quality_results(self) -> Table:
        rows = []
        stages = {"incoming": self.versions["orders"], "curated": list(self.orders.values())}
        for stage, orders in stages.items():
            of_key: dict[str, list[Version]] = defaultdict(list)
            for order in orders:
                if order.key is not None:
                    of_key[order.key].append(order)
            single = sum(len(same) == 1 for same in of_key.values())
            with_key = sum(map(len, of_key.values()))
            repeated = [key for key, same in of_key.items() if len(same) > 1]
            share = self._share
            settings = self.settings
            rules = [
                ("order_id_is_never_null", 1.0, False, share(orders, lambda o: o.facts["order_id"] is not None)),
                ("total_is_above_zero", 1.0, False, share(orders, lambda o: (o.facts["total"] or 0) > 0)),
                (
                    "order_date_looks_like_a_date",
                    1.0,
                    False,
                    share(orders, lambda o: o.facts["order_date"] is not None),
                ),
                (
                    *("customer_id_is_complete", settings.completeness_of_customer_id, True),
                    share(orders, lambda o: o.facts["customer_id"] is not None),
                ),
                (
                    *("order_id_is_unique", settings.uniqueness_of_order_id, True),
                    (single / with_key if with_key else 1.0, len(repeated), _examples(repeated)),
                ),
                (
                    "has_enough_rows",
                    float(settings.row_count),
                    True,
                    (float(len(orders)), int(len(orders) <= settings.row_count), None),
                ),
            ]
            for rule, threshold, strictly, (measured, violations, examples) in rules:
                passed = measured > threshold if strictly else measured >= threshold
                rows.append(("orders", stage, rule, passed, violations, threshold, measured, examples))
        columns = "model stage rule passed violation_count threshold measured examples"
        return Table(tuple(columns.split()), rows)

    @staticmethod
    def _share(orders: list[Version], holds: Callable[[Version], bool]) -> tuple[float, int, str | None]:
        offending = [order for order in orders if not holds(order)]
        measured = (len(orders) - len(offending)) / len(orders) if orders else 1.0
        return measured, len(offending), _examples([order.key for order in offending if order.key is not None])


def _is_older(standing: Version, broken: Version) -> bool:
    """Tell whether a version is older than a broken one: by their times, by arrival where those do not tell."""
    has_versions = standing.file.dataset not in ("events", "api_events")
    if has_versions and standing.version_at and broken.version_at and standing.version_at != broken.version_at:
        return standing.version_at < broken.version_at
    return standing.arrival < broken.arrival


def _newest(versions: Iterable[Version]) -> dict[str, Version]:
    """Return the newest version of each key: by its time, then by arrival."""
    newest: dict[str, Version] = {}
    for version in versions:
        assert version.key is not None
        if version.key not in newest or newest[version.key].recency < version.recency:
            newest[version.key] = version
    return newest


def _history(changes: Iterable[Version]) -> dict[str, list[Version]]:
    """Return each customer's changes in the order of their commits; of several at one moment the last to arrive."""
    of_customer: dict[str, dict[datetime, Version]] = defaultdict(dict)
    for change in sorted(changes, key=lambda change: change.recency):
        assert change.key is not None
        assert change.version_at is not None
        of_customer[change.key][change.version_at] = change
    return {key: [moments[at] for at in sorted(moments)] for key, moments in of_customer.items()}


def _current(versions: dict[str, Version], columns: str) -> Table:
    names = tuple(columns.split())
    return Table(names, [_facts(version, names) for version in versions.values()])


def _facts(version: Version, names: Iterable[str]) -> Row:
    return tuple(version.facts[name] for name in names)


def _grouped(versions: Iterable[Version], name: str) -> dict[Any, list[Version]]:
    """Return the versions by the value of a fact, those without a value left out."""
    groups: dict[Any, list[Version]] = defaultdict(list)
    for version in versions:
        if version.facts[name] is not None:
            groups[version.facts[name]].append(version)
    return groups


def _sum(versions: Iterable[Version], name: str) -> Any:
    return sum(version.facts[name] for version in versions)


def _different(versions: Iterable[Version], name: str) -> int:
    return len({version.facts[name] for version in versions} - {None})


def _examples(keys: Iterable[str]) -> str | None:
    return ", ".join(sorted(keys)[:5]) or None


def _date_key(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
