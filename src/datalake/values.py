"""The values that Athena writes as text, as Python has them.

Athena names a column's type, but of an array, a map or a row not what is in it, and it writes that without quotes:
`[a, b]`, `{k=v}`. So what is in them stays text, unless the caller says the type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson

Reader = Callable[[str], Any]
"""Makes a value of its text; raises a ValueError where the text is no such value."""

_NESTED = ("array", "map", "row", "struct")
_SEPARATOR = ", "


def reader(type_: str) -> Reader:
    """Return what reads the values of a column of this type.

    Args:
        type_: as Athena names it: `bigint`, `array`, or with what is in it: `array(row(name varchar, age integer))`.

    Returns:
        bool, int, float, Decimal, str, date, datetime (aware with a time zone), time, bytes, list, or dict; what JSON
        holds for json; text for types that Python has no like of. In a list or a dict `null` is None.

    Raises:
        ValueError: there is no such type.
    """
    name, bracket, _ = type_.strip().partition("(")
    if name.lower() in _NESTED:
        return _nested(type_) if bracket else _by_look
    return _READERS.get(_without_length(type_), str)


def _without_length(type_: str) -> str:
    head, bracket, tail = type_.strip().lower().partition("(")
    return head + tail.partition(")")[2] if bracket else head


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _timestamp_with_zone(text: str) -> datetime:
    moment, _, zone = text.rpartition(" ")
    if zone[:1] in "+-":
        return datetime.fromisoformat(f"{moment}{zone}")
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))


_READERS: dict[str, Reader] = {
    "boolean": _boolean,
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamp with time zone": _timestamp_with_zone,
    "varbinary": bytes.fromhex,
    "json": orjson.loads,
}


def as_json(value: object) -> object:
    """Return a value as JSON holds it exactly: what JSON has no like of as text, a decimal with all its digits."""
    match value:
        case Decimal():
            return format(value, "f")
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)
        case list() | tuple():
            return list(map(as_json, value))
        case dict():
            return {str(name): as_json(each) for name, each in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _by_look(text: str) -> Any:  # noqa: ANN401 - any value
    """Read a nested value of which no more is known; a text that does not look like one stays as it is."""
    if text == "null":
        return None
    try:
        if text[:1] == "[":
            return [_by_look(part) for part in _parts(text, "[]")]
        if text[:1] == "{":
            pairs = [_pair(part) for part in _parts(text, "{}")]
            found = {name: _by_look(value) for name, value in pairs}
            return found if len(found) == len(pairs) else text
    except ValueError:
        pass
    return text


def _nested(type_: str) -> Reader:
    """Return the reader of a type that says what is in it."""
    from sqlglot import exp  # a tenth of a second, of use here only
    from sqlglot.errors import SqlglotError

    try:
        parsed = exp.DataType.build(type_, dialect="trino")
    except (SqlglotError, ValueError) as error:
        raise ValueError(f"{type_!r} is no type of Athena") from error

    def of(each: exp.DataType) -> Reader:
        inner = each.expressions
        if each.this == exp.DataType.Type.ARRAY:
            return _array(of(inner[0]))
        if each.this == exp.DataType.Type.MAP:
            return _map(of(inner[0]), of(inner[1]))
        if each.this == exp.DataType.Type.STRUCT:
            return _row([(field.name, of(field.kind)) for field in inner])
        return reader(each.sql("trino"))

    return _or_null(of(parsed))


def _or_null(read: Reader) -> Reader:
    return lambda text: None if text == "null" else read(text)


def _array(item: Reader) -> Reader:
    read = _or_null(item)
    return lambda text: [read(part) for part in _parts(text, "[]")]


def _map(key: Reader, value: Reader) -> Reader:
    read = _or_null(value)

    def read_map(text: str) -> dict[Any, Any]:
        pairs = [_pair(part) for part in _parts(text, "{}")]
        found = {key(name): read(of) for name, of in pairs}
        if len(found) != len(pairs):
            raise ValueError(f"{text!r} has a key twice")
        return found

    return read_map


def _row(fields: list[tuple[str, Reader]]) -> Reader:
    readers = [(name, _or_null(read)) for name, read in fields]

    def read_row(text: str) -> dict[str, Any]:
        pairs = [_pair(part) for part in _parts(text, "{}")]
        if [name.lower() for name, _ in pairs] != [name.lower() for name, _ in fields]:
            raise ValueError(f"{text!r} has not the fields {', '.join(name for name, _ in fields)}")
        return {name: read(value) for (name, read), (_, value) in zip(readers, pairs, strict=True)}

    return read_row


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} has no =")
    return name, value


def _parts(text: str, brackets: str) -> list[str]:
    """Return what stands between the brackets, taken apart at the commas that are in no further brackets."""
    if text[:1] != brackets[0] or text[-1:] != brackets[1]:
        raise ValueError(f"{text!r} is not in {brackets}")
    parts, depth, begin, body = [], 0, 0, text[1:-1]
    for at, character in enumerate(body):
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
            if depth < 0:
                raise ValueError(f"{text!r} closes a bracket that it did not open")
        elif depth == 0 and body.startswith(_SEPARATOR, at):
            parts.append(body[begin:at])
            begin = at + len(_SEPARATOR)
    if depth:
        raise ValueError(f"{text!r} does not close a bracket")
    return [*parts, body[begin:]] if body else []
