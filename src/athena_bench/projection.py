"""Partition projection as the engine reads it, which knows less of it than Athena."""

from __future__ import annotations

import math
from typing import Any

_INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})


def for_engine(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of Glue with its projection in words that the engine knows.

    An enumeration of numbers is a range of them, with the widest step that meets all. Folders are named by a template,
    as the engine would look for `%3A` where Athena looks for a colon.
    """
    parameters = table.get("Parameters") or {}
    if parameters.get("projection.enabled", "").lower() != "true":
        return table
    keys = table.get("PartitionKeys") or []
    for key in keys:
        name = f"projection.{key['Name']}"
        values = parameters.get(f"{name}.values")
        if values and key["Type"] in _INTEGERS and parameters.get(f"{name}.type") == "enum":
            parameters = {one: value for one, value in parameters.items() if one != f"{name}.values"}
            parameters |= {f"{name}.{one}": value for one, value in _range([int(one) for one in values.split(",")])}
    location = table.get("StorageDescriptor", {}).get("Location", "").rstrip("/")
    folders = "".join(f"/{key['Name']}=${{{key['Name']}}}" for key in keys)
    return {**table, "Parameters": {"storage.location.template": f"{location}{folders}/", **parameters}}


def _range(numbers: list[int]) -> list[tuple[str, str]]:
    step = math.gcd(*(number - min(numbers) for number in numbers)) or 1
    return [("type", "integer"), ("range", f"{min(numbers)},{max(numbers)}"), ("interval", str(step))]
