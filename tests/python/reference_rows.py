"""Raw records typed in plain Python: the values that count, or the reasons why a row is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from reference_files import CUSTOMER_FACTS, RawFile, Record, Values, members

BEGINNING_OF_TIME = datetime(1, 1, 1)
LARGEST_INTEGER = 2**31 - 1
LARGEST_PRICE = Decimal("99999999.99")
EXACT = Context(prec=10_000)


@dataclass
class Version:
    """A raw row, typed, or with the reasons why it is broken."""

    file: RawFile
    record: Record
    key: str | None
    reasons: list[str]
    version_at: datetime | None
    facts: dict[str, Any]

    @property
    def arrival(self) -> str:
        """When it arrived, as its path says: `year=.../hour=HH/name`."""
        return self.file.key[self.file.key.index("year=") :]

    @property
    def recency(self) -> tuple[Any, ...]:
        """What is larger for the newer of two versions: their time, then their arrival, then their values.

        An event has no versions, only repeats. The values decide between two versions of one time in one file: a file
        is read in parallel, so its rows have no order.
        """
        values = tuple((self.facts[name] is not None, self.facts[name]) for name in _TIE_BREAKERS[self.file.dataset])
        if self.file.dataset in ("events", "api_events"):
            return self.arrival, self.file.key, *values
        return self.version_at, self.arrival, *values


_EVENT_TIES = ("occurred_at", "event_type", "customer_id", "product_id", "session_id", "properties")
_TIE_BREAKERS = {
    "orders": ("price", "quantity", "discount", "customer_id", "product_id", "created_at", "updated_at"),
    "users": ("customer_id", "email", "phone", "newsletter", "created_at", "updated_at"),
    "products": ("price", "name", "category", "department", "brand"),
    "customers": ("operation_rank", *CUSTOMER_FACTS),
    "events": _EVENT_TIES,
    "api_events": _EVENT_TIES,
}


class BadValueError(ValueError):
    """A value that does not cast or fit."""


def to_integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+(\.0+)?", text):
        raise BadValueError(text)
    number = int(text.partition(".")[0])
    if not -LARGEST_INTEGER - 1 <= number <= LARGEST_INTEGER:
        raise BadValueError(text)
    return number


def to_price(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        raise BadValueError(text)
    return fits(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP, EXACT))


def to_list_price(text: str) -> Decimal:
    price = to_price(text)
    if price < 0:
        raise BadValueError(text)
    return price


def fits(price: Decimal) -> Decimal:
    """Return the price if DECIMAL(10,2) holds it."""
    if abs(price) > LARGEST_PRICE:
        raise BadValueError(str(price))
    return price


_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)


def to_utc(text: str) -> datetime:
    """Return an ISO 8601 time in UTC, to the microsecond; the years are 1000 to 9998, offsets go up to 14 hours."""
    found = _TIME.fullmatch(text)
    if not found or not 1000 <= int(found[1]) <= 9998:
        raise BadValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micros = int((found[7] or "").ljust(6, "0")[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, micros)
    except ValueError:
        raise BadValueError(text) from None
    return local - _offset(found[8])


def _offset(text: str | None) -> timedelta:
    if text in (None, "", "Z"):
        return timedelta()
    assert text is not None
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:
        raise BadValueError(text)
    return (-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def to_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BadValueError(text)
    return text.lower() == "true"


class _Caster:
    """Casts the values of one row, and notes what is wrong with them."""

    def __init__(self, values: Values | None) -> None:
        self.values = values
        self.reasons: list[str] = [] if values is not None else ["malformed_json"]

    def text(self, name: str) -> str | None:
        return (self.values or {}).get(name)

    def reference(self, name: str) -> str | None:
        """Return the key of another table; an empty one is none."""
        return self.text(name) or None

    def needed(self, name: str) -> str | None:
        """Return a text that must be there; blanks alone, an object or an array are none."""
        value = self.text(name)
        stripped = (value or "").strip(" \t\r\n")
        if self.values is not None and (not stripped or (value or "")[0] + (value or "")[-1] in ("{}", "[]")):
            self.reasons.append(f"missing_{name}")
        return value

    def cast(self, name: str, to: Callable[[str], Any], missing: Any = None, needed: bool = False) -> Any:
        """Return the value, `missing` for one that isn't there, None for one that does not cast."""
        if self.values is None:
            return None
        text = self.text(name)
        if text is None:
            if needed:
                self.reasons.append(f"missing_{name}")
            return missing
        try:
            return to(text)
        except BadValueError:
            self.reasons.append(f"bad_{name}")
            return None


def _order(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    order_id = row.needed("order_id")
    quantity = row.cast("quantity", to_integer, missing=0)
    price = row.cast("price", to_price)
    discount = row.cast("discount", to_price, missing=Decimal(0))
    created_at = row.cast("created_at", to_utc, needed=True)
    updated_at = row.cast("updated_at", to_utc)
    total = None
    if None not in (quantity, price, discount):
        total = price * quantity - discount
        if abs(total) > LARGEST_PRICE:
            row.reasons.append("total_out_of_range")
        if total <= 0:
            row.reasons.append("total_not_above_zero")
        if abs(total) > LARGEST_PRICE:
            total = None
    if row.values is not None and row.text("price") is None:
        row.reasons.append("missing_price")
    return (
        order_id,
        created_at if row.text("updated_at") is None else updated_at,
        {
            "order_id": order_id,
            "customer_id": row.reference("customer_id"),
            "product_id": row.reference("product_id"),
            "quantity": quantity,
            "price": price,
            "discount": discount,
            "total": total,
            "order_date": created_at and created_at.date(),
            "created_at": created_at,
            "updated_at": updated_at,
        },
    )


def _user(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    user_id = row.needed("user_id")
    facts = {
        "user_id": user_id,
        "customer_id": row.reference("customer_id"),
        "email": row.text("email"),
        "phone": row.text("phone"),
        "newsletter": row.cast("newsletter", to_boolean),
        "created_at": row.cast("created_at", to_utc),
        "updated_at": row.cast("updated_at", to_utc),
    }
    if row.values is not None and row.text("updated_at") is None and row.text("created_at") is None:
        row.reasons.append("missing_updated_at")
    return user_id, facts["created_at"] if row.text("updated_at") is None else facts["updated_at"], facts


def _product(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    product_id = row.needed("product_id")
    facts = {
        "product_id": product_id,
        **{name: row.text(name) for name in ("name", "category", "department", "brand")},
        "price": row.cast("price", to_list_price),
        "updated_at": row.cast("updated_at", to_utc, needed=True),
    }
    return product_id, facts["updated_at"], facts


def _event(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    event_id = row.needed("event_id")
    event_type = row.needed("event_type")
    occurred_at = row.cast("occurred_at", to_utc, needed=True)
    return (
        event_id,
        occurred_at,
        {
            "event_id": event_id,
            "customer_id": row.reference("customer_id"),
            "event_type": event_type,
            "product_id": row.reference("product_id"),
            "occurred_at": occurred_at,
            "session_id": row.text("session_id"),
            "properties": row.text("properties"),
        },
    )


def _customer(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    customer_id = row.needed("customer_id")
    operation = row.text("op") or "I"
    if operation not in ("I", "U", "D"):
        row.reasons.append("bad_op")
    # A full load without a time came before every change.
    committed_at = row.cast("commit_ts", to_utc, missing=BEGINNING_OF_TIME)
    if row.text("commit_ts") is None and operation != "I":
        row.reasons.append("missing_commit_ts")
    facts = {
        "customer_id": customer_id,
        "is_delete": operation == "D",
        "operation_rank": "IUD".find(operation),  # of one commit in one file the delete comes last
        **{name: row.text(name) for name in CUSTOMER_FACTS},
    }
    return customer_id, committed_at, facts


_TYPED: dict[str, Callable[[_Caster], tuple[str | None, datetime | None, dict[str, Any]]]] = {
    "orders": _order,
    "users": _user,
    "products": _product,
    "events": _event,
    "api_events": _event,
    "customers": _customer,
}


def typed_versions(file: RawFile) -> Iterator[Version]:
    """Yield the rows of a file, each typed or with its reasons."""
    for record in file.records:
        row = _Caster(record.values)
        key, version_at, facts = _TYPED[file.dataset](row)
        facts["source_file"] = file.key
        facts["source"] = file.source or "events-stream"
        yield Version(file, record, key, row.reasons, version_at, facts)


def is_sound(dataset: str, line: str) -> bool:
    """Tell whether a line of JSON is a sound row of the data set."""
    row = _Caster(members(line))
    _TYPED[dataset](row)
    return not row.reasons
