"""A shop's orders of three days in January 2024 and one in February, what they refer to, and what is asked of them."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from year import orders_of, reference_files

DAYS = (0, 1, 2, 31)
"""Of 400 orders each, as the quality rules want 1,000 or more; 0 is the first of January."""


def files() -> Iterator[tuple[str, bytes]]:
    """Yield key and content of the raw files."""
    yield from reference_files()
    for day in DAYS:
        yield orders_of(day)


def correction() -> dict[str, Any]:
    """A later version of the first order, in which it is the largest of all."""
    return {**_orders()[0], "quantity": 1000, "updated_at": "2024-01-20T09:00:00Z"}


def top_customers() -> list[list[str]]:
    """The answer to the reference query once the correction has come: customer, what they spent, number of orders."""
    corrected = correction()
    spent: dict[str, list[Decimal]] = defaultdict(list)
    for order in _orders():
        current = corrected if order["order_id"] == corrected["order_id"] else order
        if current["created_at"].startswith("2024-01-"):
            price, discount = Decimal(str(current["price"])), Decimal(str(current["discount"]))
            spent[current["customer_id"]].append(price * current["quantity"] - discount)
    ranked = sorted(spent, key=lambda customer: (-sum(spent[customer]), customer))[:100]
    return [[customer, f"{sum(spent[customer]):.2f}", str(len(spent[customer]))] for customer in ranked]


def _orders() -> list[dict[str, Any]]:
    return [json.loads(line) for day in DAYS for line in gzip.decompress(orders_of(day)[1]).splitlines()]
