"""How Athena writes values and describes columns."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from athena_bench.engine import Column

_PRECISION = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "float": 17,
    "double": 17,
    "varchar": 2147483647,
    "string": 0,
    "varbinary": 1073741824,
    "time": 3,
    "time with time zone": 3,
    "timestamp": 3,
    "timestamp with time zone": 3,
}
_NAMES = {"real": "float"}


def text_of(value: object, signature: dict[str, Any]) -> str | None:
    """Return a value as Athena writes it; None for NULL.

    Args:
        value: as in the engine's JSON.
        signature: its type as the engine describes it: `rawType` and `arguments`.
    """
    return None if value is None else _write(value, signature)


def _write(value: Any, signature: dict[str, Any]) -> str:  # noqa: ANN401 - any value of JSON
    if value is None:
        return "null"
    inner = signature.get("arguments", [])
    match signature.get("rawType"):
        case "boolean":
            return "true" if value else "false"
        case "double" | "real":
            return _java_float(value)
        case "varbinary":
            return base64.b64decode(value).hex(" ")
        case "array":
            return f"[{', '.join(_write(item, inner[0]['value']) for item in value)}]"
        case "map":
            key, item = inner[0]["value"], inner[1]["value"]
            pairs = (f"{_write(_map_key(name, key), key)}={_write(of, item)}" for name, of in value.items())
            return f"{{{', '.join(pairs)}}}"
        case "row":
            fields = zip((argument["value"] for argument in inner), value, strict=True)
            return f"{{{', '.join(_field(field, at, item) for at, (field, item) in enumerate(fields))}}}"
        case _:
            return str(value)


def _field(field: dict[str, Any], at: int, value: object) -> str:
    name = (field.get("fieldName") or {}).get("name", f"field{at}")
    return f"{name}={_write(value, field['typeSignature'])}"


def _map_key(written: str, signature: dict[str, Any]) -> str | float:
    """Return the key of a map, which JSON holds as a text."""
    return float(written) if signature.get("rawType") in ("double", "real") else written


def _java_float(value: float | str) -> str:
    """Return a float as Java writes it: `1.0`, `1.0E10`, `NaN`."""
    number = float(value)
    if math.isnan(number) or math.isinf(number):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(number)]
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        written = format(Decimal(repr(number)), "f")
        return written if "." in written else f"{written}.0"
    mantissa, exponent = f"{Decimal(repr(number)).normalize():E}".split("E")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def column_info(column: Column) -> dict[str, Any]:
    """Return a column as GetQueryResults describes it."""
    raw = re.sub(r"\([^()]*\)", "", column.type) if column.type.startswith(("timestamp", "time")) else column.type
    base = raw.partition("(")[0].lower()  # the engine writes some in capitals: INTERVAL DAY TO SECOND
    name = _NAMES.get(base, base)
    precision, scale = _PRECISION.get(name, 0), 0
    if digits := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", column.type):
        precision, scale = int(digits[1]), int(digits[2])
    elif length := re.fullmatch(r"(?:var)?char\((\d+)\)", column.type):
        precision = int(length[1])
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": name,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": name in ("varchar", "char", "string"),
    }


def hive_type(engine_type: str) -> str:
    """Return a type of the engine as Glue writes it: `varchar` is `string`, `row(a integer)` is `struct<a:int>`."""
    text = engine_type.strip()
    if match := re.fullmatch(r"array\((.*)\)", text):
        return f"array<{hive_type(match[1])}>"
    if match := re.fullmatch(r"map\((.*)\)", text):
        key, value = _split(match[1])
        return f"map<{hive_type(key)},{hive_type(value)}>"
    if match := re.fullmatch(r"row\((.*)\)", text):
        fields = [item.split(" ", 1) for item in _split(match[1])]
        return f"struct<{','.join(name.strip(chr(34)) + ':' + hive_type(type_) for name, type_ in fields)}>"
    if text.startswith("timestamp"):
        return "timestamp"
    if text.startswith("varchar(") or text.startswith("char("):
        return text
    if text.startswith("decimal"):
        return text.replace(" ", "")
    return {"varchar": "string", "integer": "int", "real": "float", "varbinary": "binary"}.get(text, text)


def _split(text: str) -> list[str]:
    items, depth, begin = [], 0, 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            items.append(text[begin:at].strip())
            begin = at + 1
    return [*items, text[begin:].strip()]


def csv_of(columns: Sequence[Column], rows: Iterable[Sequence[str | None]]) -> bytes:
    """Return the file of results: every value in quotes, nothing for NULL."""
    lines = [[column.name for column in columns], *rows]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'
