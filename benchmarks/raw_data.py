"""Raw files of a made-up shop, as dirty as real ones and as many as asked for.

Every value is a hash of the seed and of the number of its order, user, customer, product or event. So each day can
be made alone: days 1 to N and then day N + 1 are the same bytes as days 1 to N + 1 at once.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datalake.layout import raw_folder, raw_key

Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]
File = tuple[str, bytes]
"""A raw file's key and body."""

FIRST_DAY = date(2024, 1, 1)
HOUR = 3600
DAY = 24 * HOUR
PRODUCTS = 2_000

DAYS_LATE = 2
"""How long after its hour a late file comes."""

DAYS_AWAY = 4
"""After how many days every second deleted customer comes back."""

DAYS_BETWEEN_BROKEN_FILES = 97

EVENT_TYPES = ("checkout", "campaign_received", "coupon_redeemed")


@dataclass(frozen=True)
class Shop:
    """How much a day brings.

    Attributes:
        seed: another seed, another shop.
        orders_a_day: new orders; a few percent more lines are second versions of earlier ones.
        customers: in the full load of the first day.
    """

    seed: int
    orders_a_day: int
    customers: int

    def draw(self, purpose: str, numbers: Numbers) -> Shares:
        """Return a number from 0 to below 1 for each of `numbers`, the same whenever it is asked for."""
        mixed = numbers.astype(np.uint64) + np.uint64(zlib.crc32(f"{self.seed} {purpose}".encode()) << 31)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0x9E3779B97F4A7C15)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed >> np.uint64(11)) / float(1 << 53)

    def choose(self, purpose: str, numbers: Numbers, among: int) -> Numbers:
        """Return a whole number from 0 to below `among` for each of `numbers`."""
        return (self.draw(purpose, numbers) * among).astype(np.int64)

    def spread(self, purpose: str, day: int, a_day: int) -> tuple[Numbers, Numbers]:
        """Return the numbers of what a day brings, and the seconds since the first day at which each comes."""
        places = np.arange(a_day)
        numbers = (day - 1) * a_day + places
        return numbers, self._moments(purpose, numbers, a_day)

    def ordered_at(self, orders: Numbers) -> Numbers:
        """Return the seconds since the first day at which orders were placed."""
        return self._moments("orders", orders, self.orders_a_day)

    def _moments(self, purpose: str, numbers: Numbers, a_day: int) -> Numbers:
        return ((numbers + self.draw(f"{purpose} come", numbers)) * DAY / a_day).astype(np.int64)


def files_of_day(shop: Shop, day: int) -> Iterator[File]:
    """Yield the raw files that arrive on a day, counted from 1."""
    yield from orders(shop, day)
    yield from late_orders(shop, day)
    yield users(shop, day)
    yield customers(shop, day)
    yield products(shop, day)
    yield from events(shop, day)
    yield from partner_events(shop, day)
    yield from broken_files(shop, day)


def orders(shop: Shop, day: int) -> Iterator[File]:
    """Yield the hourly files of new orders and of new versions of earlier ones."""
    first, placed = shop.spread("orders", day, shop.orders_a_day)
    in_time = ~_is_late(shop, first)
    again, updated = _new_versions(shop, day)
    lines = [*_order_lines(shop, first[in_time]), *_order_lines(shop, again, updated)]
    yield from _hourly_json("orders", lines, np.concatenate([placed[in_time], updated]))


def late_orders(shop: Shop, day: int) -> Iterator[File]:
    """Yield the files that come days after their hour, beside the file that hour has already."""
    if day > DAYS_LATE:
        numbers, placed = shop.spread("orders", day - DAYS_LATE, shop.orders_a_day)
        late = _is_late(shop, numbers)
        lines = _order_lines(shop, numbers[late])
        yield from _hourly_json("orders", lines, placed[late], suffix="-late.json.gz")


def _is_late(shop: Shop, numbers: Numbers) -> NDArray[np.bool_]:
    hours = shop.ordered_at(numbers) // HOUR
    return (shop.draw("late hours", hours) < 0.02) & (shop.draw("late orders", numbers) < 0.1)


def _new_versions(shop: Shop, day: int) -> tuple[Numbers, Numbers]:
    keys, updated = shop.spread("new versions", day, max(shop.orders_a_day * 3 // 100, 1))
    age = HOUR + 20 * DAY * shop.draw("age of a version", keys) ** 4
    numbers = np.floor((updated - age) * shop.orders_a_day / DAY).astype(np.int64) - 1
    return numbers[numbers >= 0], updated[numbers >= 0]


def _order_lines(shop: Shop, numbers: Numbers, updated: Numbers | None = None) -> list[str]:
    versions = numbers if updated is None else numbers + (updated << 20)
    customer = shop.choose("customer of an order", numbers, shop.customers)
    unknown = shop.draw("unknown customer", numbers)
    customer = np.where(unknown < 0.01, customer + 100_000_000, customer)
    product = (shop.draw("product of an order", numbers) ** 2 * PRODUCTS * 1.002).astype(np.int64)
    cents = _list_price(shop, product)
    quantity = 1 + (shop.draw("quantity", versions) ** 3 * 6).astype(np.int64)
    discount = (shop.draw("discount", versions) ** 4 * 0.5 * cents).astype(np.int64)
    placed = shop.ordered_at(numbers)
    endings = ["}"] * len(numbers) if updated is None else [f',"updated_at":"{text}Z"}}' for text in _iso(updated)]
    lines = [
        f'{{"order_id":"o-{number}","customer_id":"{who}","product_id":"p-{what}","quantity":{pieces},'
        f'"price":{price // 100}.{price % 100:02},"discount":{less // 100}.{less % 100:02},"created_at":"{at}"{ending}'
        for number, who, what, pieces, price, less, at, ending in zip(
            numbers.tolist(),
            customer.tolist(),
            product.tolist(),
            quantity.tolist(),
            cents.tolist(),
            discount.tolist(),
            _with_offsets(shop, numbers, placed),
            endings,
            strict=True,
        )
    ]
    for change, share in ODDITIES:
        for place in np.flatnonzero(shop.draw(f"odd: {change.__name__}", versions) < share).tolist():
            lines[place] = change(lines[place])
    breakage = shop.choose("which breakage", versions, len(BREAKAGES))
    for place in np.flatnonzero(shop.draw("broken", versions) < 0.02).tolist():
        lines[place] = BREAKAGES[breakage[place]](lines[place])
    return lines


def _with_offsets(shop: Shop, numbers: Numbers, seconds: Numbers) -> list[str]:
    """Return times as text; one in twenty is told in the local time of a place, with its offset."""
    texts = [f"{text}Z" for text in _iso(seconds)]
    hours = np.array([-5, 1, 2, 9])[shop.choose("offset", numbers, 4)]
    for place in np.flatnonzero(shop.draw("has an offset", numbers) < 0.05).tolist():
        local = (_at(int(seconds[place])) + timedelta(hours=int(hours[place]))).replace(tzinfo=None)
        texts[place] = f"{local.isoformat()}{hours[place]:+03}:00"
    return texts


Change = Callable[[str], str]
"""Makes another line of a sound one."""


def _set(field: str, value: str) -> Change:
    pattern = re.compile(rf'"{field}":("[^"]*"|[^,}}]*)')
    return lambda line: pattern.sub(f'"{field}":{value}', line)


def _drop(field: str) -> Change:
    pattern = re.compile(rf'"{field}":("[^"]*"|[^,}}]*),?')
    return lambda line: pattern.sub("", line).replace(",}", "}")


def _unknown_field(line: str) -> str:
    return line[:-1] + ',"channel":{"name":"app","build":[4,1]}}'


def _no_discount(line: str) -> str:
    return _drop("discount")(line)


def _no_customer(line: str) -> str:
    return _set("customer_id", "null")(line)


def _price_as_text(line: str) -> str:
    return re.sub(r'"price":([0-9.]+)', r'"price":"\1"', line)


def _quantity_as_decimal(line: str) -> str:
    return re.sub(r'"quantity":([0-9]+)', r'"quantity":\1.0', line)


def _time_to_the_minute(line: str) -> str:
    return re.sub(r'("created_at":"[^"]{16}):[0-9]{2}', r"\1", line)


ODDITIES: tuple[tuple[Change, float], ...] = (
    (_unknown_field, 0.02),
    (_no_discount, 0.05),
    (_no_customer, 0.003),
    (_price_as_text, 0.01),
    (_quantity_as_decimal, 0.01),
    (_time_to_the_minute, 0.005),
)
"""What is unusual but sound, and the share of lines that have it."""

BREAKAGES: tuple[Change, ...] = (
    lambda line: line[: len(line) * 2 // 3],
    lambda line: line[:-1] + ",}",
    lambda line: f"[{line}]",
    lambda line: "upstream connect error or disconnect/reset before headers",
    _set("order_id", '""'),
    _set("order_id", '{"id":7}'),
    _drop("order_id"),
    _set("quantity", '"two"'),
    _set("quantity", "1.5"),
    _set("quantity", "1e1"),
    _set("quantity", "99999999999"),
    _set("quantity", "0"),
    _drop("quantity"),
    _set("price", '"9,99"'),
    _set("price", "1e2"),
    _set("price", "123456789.00"),
    _set("price", "-4.50"),
    _set("price", "null"),
    _drop("price"),
    _set("discount", '"half"'),
    _set("discount", "9999.00"),
    _set("created_at", '"2024-02-30T10:00:00Z"'),
    _set("created_at", '"yesterday"'),
    _set("created_at", "1704067200"),
    _drop("created_at"),
    lambda line: _set("price", "99999999.99")(_set("quantity", "5")(line)),
    lambda line: _drop("updated_at")(line)[:-1] + ',"updated_at":"soon"}',
    lambda line: _set("quantity", '"x"')(_set("price", '"y"')(_set("created_at", '"z"')(line))),
)
"""The ways in which a line can be broken; each is as likely as the next."""


def users(shop: Shop, day: int) -> File:
    """Return the day's file of accounts: new ones, and new versions of a few."""
    a_day = max(shop.orders_a_day // 50, 1)
    new, opened = shop.spread("users", day, a_day)
    known = shop.choose("changed users", new, max((day - 1) * a_day, 1))
    changed = (shop.draw("user changes", new) < 0.1) & (day > 1)
    numbers = np.concatenate([new, known[changed]])
    updated = np.concatenate([opened, opened[changed]])
    created = np.where(numbers == np.concatenate([new, new[changed]]), updated, numbers * (DAY // a_day))
    keys = numbers + (updated << 20)
    newsletter = np.array(["true", "false", '"TRUE"'])[shop.choose("newsletter", keys, 3)]
    customer = shop.choose("customer of a user", numbers, shop.customers)
    lines = [
        f'{{"user_id":"u-{number}","customer_id":"{who}","email":"{mail}@example.com","phone":"+1-555-{number:07}",'
        f'"newsletter":{wanted},"created_at":"{since}Z","updated_at":"{at}Z"}}'
        for number, who, mail, wanted, since, at in zip(
            numbers.tolist(),
            customer.tolist(),
            (f"user.{number}.{at % 97}" for number, at in zip(numbers.tolist(), updated.tolist(), strict=True)),
            newsletter.tolist(),
            _iso(created),
            _iso(updated),
            strict=True,
        )
    ]
    breakages = (_set("newsletter", '"maybe"'), _drop("user_id"), _set("updated_at", '"2024-13-01"'), lambda _: "{")
    for place in np.flatnonzero(shop.draw("broken user", keys) < 0.01).tolist():
        lines[place] = breakages[place % len(breakages)](lines[place])
    return raw_key("users", _at((day - 1) * DAY), ".json.gz"), _compressed(lines)


def customers(shop: Shop, day: int) -> File:
    """Return the full load on the first day, after it the day's changes."""
    if day == 1:
        numbers = np.arange(shop.customers)
        body = _customer_rows(shop, numbers, np.zeros_like(numbers), None)
        return f"{raw_folder('customers', _at(0))}customers-full.parquet", body
    new = shop.customers + (day - 2) * (a_day := max(shop.customers // 5_000, 1)) + np.arange(a_day)
    updated = shop.choose(f"updated on {day}", np.arange(5 * a_day), shop.customers)
    deleted = _deleted_customers(shop, day)
    back = _deleted_customers(shop, day - DAYS_AWAY)[::2] if day > DAYS_AWAY + 1 else deleted[:0]
    numbers = np.concatenate([new, updated, deleted, back])
    ops = ["I"] * len(new) + ["U"] * len(updated) + ["D"] * len(deleted) + ["I"] * len(back)
    moments = (day - 1) * DAY + np.sort(shop.choose(f"changed on {day}", np.arange(len(numbers)), DAY))
    return raw_key("customers", _at(day * DAY - HOUR), ".parquet"), _customer_rows(shop, numbers, moments, ops)


def _deleted_customers(shop: Shop, day: int) -> Numbers:
    return shop.choose(f"deleted on {day}", np.arange(max(shop.customers // 20_000, 1)), shop.customers)


def _customer_rows(shop: Shop, numbers: Numbers, moments: Numbers, ops: list[str] | None) -> bytes:
    keys = numbers + (moments << 20)
    ids = [str(number) for number in numbers.tolist()]
    times = [f"{text.replace('T', ' ')}.000000" for text in _iso(moments)]
    columns: dict[str, Sequence[str | None]] = {
        "commit_ts": times,
        "customer_id": ids,
        "name": [f"Customer {number}" for number in ids],
        "segment": _pick(("new", "regular", "loyal", "lost"), shop.choose("segment", keys, 4)),
        "region": _pick(("North", "East", "South", "West"), shop.choose("region", numbers, 4)),
        "email": [f"customer.{number}@example.com" for number in ids],
        "phone": [f"+1-555-{number}" for number in ids],
        "address": [f"{number} Main Street" for number in ids],
        "age": _pick(("19-24", "25-34", "35-44", "45-54", "55+", None), shop.choose("age", numbers, 6)),
        "income": _pick(("Under 25K", "25-74K", "75K+", None), shop.choose("income", keys, 4)),
    }
    if ops is not None:
        for place in np.flatnonzero(shop.draw("broken customer", keys) < 0.005).tolist():
            ids[place], times[place], ops[place] = (
                ("", times[place], ops[place]),
                (ids[place], "2024-02-31 00:00:00", ops[place]),
                (ids[place], times[place], "X"),
            )[place % 3]
        columns = {"Op": ops, **columns}
    return _parquet(columns)


def products(shop: Shop, day: int) -> File:
    """Return the night's full file of the product master."""
    numbers = np.arange(PRODUCTS)
    # A price stands for a month; the orders pay the first month's.
    cents = _list_price(shop, numbers) * (100 + day // 30) // 100
    at = _iso(np.array([(day - 1) * DAY + 2 * HOUR]))[0]
    broken = shop.draw(f"broken product on {day}", numbers) < 0.001
    rows = [
        f"p-{number},{_product_name(number)},Category {number % 50},Department {number % 7},"
        f"{'Private' if number % 4 == 0 else 'National'},{'free' if bad else f'{price // 100}.{price % 100:02}'},{at}Z"
        for number, price, bad in zip(numbers.tolist(), cents.tolist(), broken.tolist(), strict=True)
    ]
    return raw_key("products", _at((day - 1) * DAY + 2 * HOUR), ".csv"), _lines(PRODUCT_HEADER, *rows)


PRODUCT_HEADER = "product_id,name,category,department,brand,price,updated_at"


def _product_name(number: int) -> str:
    return f'"Product {number}, sliced"' if number % 10 == 0 else f"Product {number}"


def _list_price(shop: Shop, numbers: Numbers) -> Numbers:
    return 49 + (shop.draw("list price", numbers) ** 3 * 5_000).astype(np.int64)


def events(shop: Shop, day: int) -> Iterator[File]:
    """Yield the hourly files of the shop's events; a few events are delivered twice."""
    numbers, moments = shop.spread("events", day, max(shop.orders_a_day // 5, 1))
    twice = shop.draw("delivered twice", numbers) < 0.01
    numbers = np.concatenate([numbers, numbers[twice]])
    delivered = np.concatenate([moments, np.minimum(moments[twice] + HOUR, day * DAY - 1)])
    moments = np.concatenate([moments, moments[twice]])
    for hour in np.unique(delivered // HOUR).tolist():
        in_hour = delivered // HOUR == hour
        yield (
            raw_key("events", _at(hour * HOUR), ".parquet"),
            _parquet(_event_columns(shop, numbers[in_hour], moments[in_hour])),
        )


def _event_columns(shop: Shop, numbers: Numbers, moments: Numbers) -> dict[str, Sequence[str | None]]:
    broken = shop.draw("broken event", numbers)
    return {
        "event_id": [f"e-{number}" for number in numbers.tolist()],
        "customer_id": [str(who) for who in shop.choose("customer of an event", numbers, shop.customers).tolist()],
        "event_type": _pick(EVENT_TYPES, shop.choose("event type", numbers, len(EVENT_TYPES))),
        "product_id": [
            f"p-{what}" if what < PRODUCTS else None
            for what in shop.choose("product of an event", numbers, 2 * PRODUCTS).tolist()
        ],
        "occurred_at": [
            None if bad < 0.001 else "soon" if bad < 0.002 else f"{text}Z"
            for text, bad in zip(_iso(moments), broken.tolist(), strict=True)
        ],
        "session_id": [f"s-{number // 3}" for number in numbers.tolist()],
        "properties": [f'{{"page": {number % 40}}}' for number in numbers.tolist()],
    }


def partner_events(shop: Shop, day: int) -> Iterator[File]:
    """Yield a partner's events: four files a day, one event in four known from the shop's own."""
    numbers, moments = shop.spread("partner events", day, max(shop.orders_a_day // 250, 4))
    own = numbers * 50  # comes at about the same time
    lines = [
        f'{{"event_id":"{f"e-{known}" if number % 4 == 0 else f"partner-{number}"}","customer_id":"{who}",'
        f'"event_type":"campaign_received","product_id":null,"occurred_at":"{at}Z",'
        f'"properties":{{"campaign": {number % 9}, "sent": [1, 2]}}}}'
        for number, known, who, at in zip(
            numbers.tolist(),
            own.tolist(),
            shop.choose("customer of a partner's event", numbers, shop.customers).tolist(),
            _iso(moments),
            strict=True,
        )
    ]
    for place in np.flatnonzero(shop.draw("broken partner event", numbers) < 0.01).tolist():
        lines[place] = _set("occurred_at", '"never"')(lines[place])
    yield from _hourly_json("api_events", lines, moments // (6 * HOUR) * (6 * HOUR), source="partner")


def broken_files(shop: Shop, day: int) -> Iterator[File]:
    """Yield files that can't be read as what they should be; a handful in a year."""
    noon = _at((day - 1) * DAY + 12 * HOUR)
    match day % DAYS_BETWEEN_BROKEN_FILES:
        case 3:
            numbers, _ = shop.spread("orders", day, shop.orders_a_day)
            body = _compressed(_order_lines(shop, numbers[:500]))
            yield raw_key("orders", noon, "-again.json.gz"), body[: len(body) // 2]
        case 5:
            moved = PRODUCT_HEADER.replace("name,category", "category,name")
            yield raw_key("products", noon, "-moved.csv"), _lines(moved, "p-1,Category 1,Product 1,,,1.00,2024-01-05")
        case 7:
            yield raw_key("events", noon, "-text.parquet"), _lines("event_id,customer_id", "e-1,1")


def _hourly_json(
    dataset: str,
    lines: Sequence[str],
    moments: Numbers,
    source: str | None = None,
    suffix: str = ".json.gz",
) -> Iterator[File]:
    hours = moments // HOUR
    order = np.argsort(hours, kind="stable")
    starts = np.flatnonzero(np.diff(hours[order], prepend=-1))
    for places in np.split(order, starts)[1:]:
        key = raw_key(dataset, _at(int(hours[places[0]]) * HOUR), suffix, source)
        yield key, _compressed([lines[place] for place in places.tolist()])


def _compressed(lines: Sequence[str]) -> bytes:
    return gzip.compress(_lines(*lines), compresslevel=1, mtime=0)


def _lines(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _parquet(columns: dict[str, Sequence[str | None]]) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), body)
    return body.getvalue()


def _pick(names: Sequence[str | None], places: Numbers) -> list[str | None]:
    return [names[place] for place in places.tolist()]


def _iso(seconds: Numbers) -> list[str]:
    texts: list[str] = np.datetime_as_string(np.datetime64(FIRST_DAY, "s") + seconds).tolist()
    return texts


def _at(seconds: int) -> datetime:
    return datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) + timedelta(seconds=seconds)


def write_day(shop: Shop, root: Path, day: int) -> None:
    """Write the files of a day under `root`."""
    for key, body in files_of_day(shop, day):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def write_raw(root: Path, orders: int, days: int, first: int = 1, last: int | None = None, seed: int = 1) -> None:
    """Write the raw files of the days `first` to `last` under `root`.

    Args:
        root: the lake's root; the files come to lie under `raw/`.
        orders: how many orders `days` days bring; all else grows with them.
        days: with `orders`, how much a day brings.
        first: the first day to write, counted from 1.
        last: the last one; `days` when it is None.
        seed: of the draws.
    """
    shop = Shop(seed, round(orders / days), max(orders // 50, 20))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(partial(write_day, shop, root), range(first, (last or days) + 1)):
            pass


def main() -> None:
    """Write raw files as the command line says."""
    parser = argparse.ArgumentParser(description="Write the raw files of a made-up shop, as dirty as real ones.")
    parser.add_argument("root", type=Path, help="the lake's root folder")
    parser.add_argument("--orders", type=int, default=5_000_000, help="how many orders --days days bring")
    parser.add_argument("--days", type=int, default=365, help="with --orders, how much a day brings")
    parser.add_argument("--from-day", type=int, default=1, help="the first day to write")
    parser.add_argument("--to-day", type=int, help="the last day to write; --days when it is left out")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write_raw(asked.root, asked.orders, asked.days, asked.from_day, asked.to_day, asked.seed)


if __name__ == "__main__":
    main()
