"""Athena's SQL as the engine's SQL."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from athena_bench.engine import HIVE_CATALOG, ICEBERG_CATALOG
from athena_bench.errors import RefusedError
from athena_bench.statement import Name, Reader, engine_type


@dataclass(frozen=True)
class Translation:
    """What the engine is to run.

    Attributes:
        sql: the statement.
        session: properties of the session.
        query: the query within a CREATE TABLE AS; None for other statements.
    """

    sql: str
    session: dict[str, str] = field(default_factory=dict)
    query: str | None = None


def query(text: str) -> str:
    """Return a statement of Trino's grammar with its decimal literals as Athena types them: DOUBLE."""
    spans = Reader(text, hive=False).numbers()
    for begin, end in reversed(spans):
        text = f"{text[:begin]}{text[begin:end]}e0{text[end:]}"
    return text


def parameter(written: str) -> str:
    """Return the value of a `?` as the engine takes it: what is no constant, as a bare word, is a text to Athena."""
    try:
        value = parse_one(written, read="trino")
    except SqlglotError:
        return literal(written)
    return literal(written) if value.find(exp.Column) else written


def quoted(name: str) -> str:
    """Return a name in quotes."""
    return '"' + name.replace('"', '""') + '"'


def qualified(catalog: str, database: str, table: str) -> str:
    """Return a table's whole name."""
    return f"{catalog}.{quoted(database)}.{quoted(table)}"


def literal(text: str) -> str:
    """Return a text as a string literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class TableAs:
    """The parts of a CREATE TABLE AS.

    Attributes:
        name: the table's.
        exists_ok: whether it says IF NOT EXISTS.
        properties: the expressions of its WITH, by their names in small letters.
        query: what follows AS.
        with_data: whether rows are written.
    """

    name: Name
    exists_ok: bool
    properties: dict[str, str]
    query: str
    with_data: bool

    @property
    def is_iceberg(self) -> bool:
        """Whether it makes an Iceberg table."""
        return self.text_of("table_type", "hive").lower() == "iceberg"

    def text_of(self, name: str, default: str = "") -> str:
        """Return the value of a property that is a string."""
        return Reader(self.properties[name], hive=False).string() if name in self.properties else default


def read_create_table_as(statement: Reader) -> TableAs:
    """Read CREATE TABLE [IF NOT EXISTS] name [WITH (...)] AS query [WITH [NO] DATA]."""
    statement.expect("CREATE", "TABLE")
    exists_ok = statement.accept("IF", "NOT", "EXISTS")
    name = statement.name()
    properties = _properties(statement) if statement.accept("WITH") else {}
    statement.expect("AS")
    body = statement.rest()
    with_data = True
    words = Reader(body, hive=False)
    tail = words.last(3)
    if tail == ("WITH", "NO", "DATA"):
        body, with_data = body[: words.begin_of_last(3)].rstrip(), False
    elif tail[-2:] == ("WITH", "DATA"):
        body = body[: words.begin_of_last(2)].rstrip()
    return TableAs(name, exists_ok, properties, body, with_data)


def _properties(statement: Reader) -> dict[str, str]:
    found = {}
    for item in statement.items():
        reader = Reader(item, hive=False)
        name = reader.identifier().lower()
        reader.expect("=")
        found[name] = reader.rest()
    return found


def create_table_as(table: TableAs, database: str, table_name: str, default_location: str) -> Translation:
    """Return a CREATE TABLE AS for the engine.

    Args:
        table: its parts.
        database: the database's name.
        table_name: the table's name.
        default_location: where the files of a Hive table go that names no place.

    Raises:
        RefusedError: a property has no meaning in Athena.
    """
    given = dict(table.properties)
    given.pop("table_type", None)
    external = given.pop("is_external", None)
    compressions = [given.pop(f"{kind}_compression", None) for kind in ("write", "parquet", "orc")]
    compression = next((written for written in compressions if written), None)
    catalog = ICEBERG_CATALOG if table.is_iceberg else HIVE_CATALOG
    if table.is_iceberg:
        if external is not None and external.lower() != "false":
            raise RefusedError("External Iceberg tables are not supported: set is_external = false")
        properties = _iceberg_properties(given)
    else:
        properties = _hive_properties(given, default_location)
    query_text = query(table.query)
    written = ", ".join(f"{name} = {value}" for name, value in properties.items())
    sql = (
        f"CREATE TABLE {'IF NOT EXISTS ' if table.exists_ok else ''}{qualified(catalog, database, table_name)} "
        f"WITH ({written}) AS {query_text}{'' if table.with_data else ' WITH NO DATA'}"
    )
    session = {f"{catalog}.compression_codec": _codec(compression)} if compression else {}
    return Translation(sql, session=session, query=query_text)


def _iceberg_properties(given: dict[str, str]) -> dict[str, str]:
    if "location" not in given:
        raise RefusedError("Table location can not be null: an Iceberg table needs the property location")
    known = {"location", "format", "partitioning", "format_version"}
    properties = {name: value for name, value in given.items() if name in known}
    properties["location"] = literal(Reader(given["location"], hive=False).string().rstrip("/"))
    if "format" in properties:
        properties["format"] = properties["format"].upper()
    extra = {name: value.strip("'") for name, value in given.items() if name not in known}
    if extra:
        properties["extra_properties"] = _map(extra)
    return properties


def _hive_properties(given: dict[str, str], default_location: str) -> dict[str, str]:
    names = {
        "external_location": "external_location",
        "format": "format",
        "partitioned_by": "partitioned_by",
        "bucketed_by": "bucketed_by",
        "bucket_count": "bucket_count",
        "field_delimiter": "textfile_field_separator",
    }
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise RefusedError(f"Unknown table property: {unknown[0]}")
    properties = {names[name]: value for name, value in given.items()}
    if "external_location" not in properties and not default_location:
        raise RefusedError("The workgroup keeps results itself, so CREATE TABLE AS needs an external_location")
    properties.setdefault("external_location", literal(default_location))
    properties["format"] = properties.get("format", "'PARQUET'").upper()
    return properties


def _codec(written: str) -> str:
    """Return the compression of a write as the engine's session names it."""
    name = written.strip("'").upper()
    known = {"SNAPPY", "GZIP", "ZSTD", "LZ4", "NONE"}
    if name not in known:
        raise RefusedError(f"The bench can't write with compression {name}; it can with {', '.join(sorted(known))}")
    return name


def _map(properties: dict[str, str]) -> str:
    keys = ", ".join(literal(name) for name in properties)
    values = ", ".join(literal(value) for value in properties.values())
    return f"map(ARRAY[{keys}], ARRAY[{values}])"


def create_iceberg_table(statement: Reader, database: str, name: str, exists_ok: bool) -> Translation:
    """Return the CREATE TABLE of an Iceberg table, which is written in Hive's grammar; its name is read already.

    Raises:
        RefusedError: it is no Iceberg table, or lacks a location.
    """
    columns = [_column(item) for item in statement.items()]
    properties: dict[str, str] = {}
    given: dict[str, str] = {}
    comment = ""
    while not statement.done:
        if statement.accept("COMMENT"):
            comment = f" COMMENT {literal(statement.string())}"
        elif statement.accept("PARTITIONED", "BY"):
            transforms = [_transform(item) for item in statement.items()]
            properties["partitioning"] = f"ARRAY[{', '.join(literal(item) for item in transforms)}]"
        elif statement.accept("LOCATION"):
            properties["location"] = literal(statement.string().rstrip("/"))
        else:
            statement.expect("TBLPROPERTIES")
            given = statement.properties()
    if given.pop("table_type", "").lower() != "iceberg":
        raise RefusedError("CREATE TABLE without EXTERNAL needs TBLPROPERTIES ('table_type' = 'ICEBERG')")
    if "location" not in properties:
        raise RefusedError("Table location can not be null: an Iceberg table needs a LOCATION")
    if "format" in given:
        properties["format"] = literal(given.pop("format").upper())
    compression = given.pop("write_compression", None)
    if given:
        properties["extra_properties"] = _map(given)
    session = {f"{ICEBERG_CATALOG}.compression_codec": _codec(compression)} if compression else {}
    written = ", ".join(f"{key} = {value}" for key, value in properties.items())
    return Translation(
        f"CREATE TABLE {'IF NOT EXISTS ' if exists_ok else ''}{qualified(ICEBERG_CATALOG, database, name)} "
        f"({', '.join(columns)}){comment} WITH ({written})",
        session=session,
    )


def _column(item: str) -> str:
    reader = Reader(item, hive=True)
    name = quoted(reader.identifier().lower())
    type_ = engine_type(reader.until("COMMENT"))
    comment = f" COMMENT {literal(reader.string())}" if reader.accept("COMMENT") else ""
    reader.expect_end()
    return f"{name} {type_}{comment}"


def _transform(item: str) -> str:
    """Return a partition transform as the engine writes it: `bucket(16, id)` is `bucket(id, 16)` there."""
    reader = Reader(item, hive=True)
    name = reader.identifier()
    if reader.done:
        return name.lower()
    first, *more = reader.items()
    if more:
        first, more = more[0], [first]
    return f"{name.lower()}({', '.join([first.strip('`').lower(), *more])})"


def alter_iceberg_table(statement: Reader, database: str, table: str) -> list[Translation]:
    """Return what the engine runs for the rest of an ALTER TABLE of an Iceberg table, one statement a change.

    Raises:
        RefusedError: Athena has no such change of an Iceberg table.
    """
    head = f"ALTER TABLE {qualified(ICEBERG_CATALOG, database, table)}"
    if statement.accept("ADD", "COLUMNS"):
        changes = [f"ADD COLUMN {_column(item)}" for item in statement.items()]
    elif statement.accept("DROP", "COLUMN"):
        changes = [f"DROP COLUMN {quoted(statement.identifier().lower())}"]
    elif statement.accept("CHANGE"):
        statement.accept("COLUMN")
        old, new = statement.identifier().lower(), statement.identifier().lower()
        changes = [f"RENAME COLUMN {quoted(old)} TO {quoted(new)}"] if old != new else []
        changes.append(f"ALTER COLUMN {quoted(new)} SET DATA TYPE {engine_type(statement.until('COMMENT'))}")
        if statement.accept("COMMENT"):
            column = f"{qualified(ICEBERG_CATALOG, database, table)}.{quoted(new)}"
            comment = f"COMMENT ON COLUMN {column} IS {literal(statement.string())}"
            statement.expect_end()
            return [*(Translation(f"{head} {change}") for change in changes), Translation(comment)]
    elif statement.accept("SET", "TBLPROPERTIES"):
        changes = [_set_properties(statement.properties())]
    elif statement.accept("RENAME", "TO"):
        schema, name = statement.name().within(database)
        changes = [f"RENAME TO {qualified(ICEBERG_CATALOG, schema, name)}"]
    else:
        raise RefusedError(f"ALTER TABLE of an Iceberg table knows no '{statement.rest()}'")
    statement.expect_end()
    return [Translation(f"{head} {change}") for change in changes]


def _set_properties(given: dict[str, str]) -> str:
    own = {}
    if "format" in given:
        own["format"] = literal(given.pop("format").upper())
    if "write_compression" in given:
        raise RefusedError("The bench can't change write_compression of a table that is there")
    if given:
        own["extra_properties"] = _map(given)
    return "SET PROPERTIES " + ", ".join(f"{name} = {value}" for name, value in own.items())


def optimize(statement: Reader, database: str) -> tuple[str, str, str]:
    """Return database, table and condition (empty where there is none) of OPTIMIZE ... REWRITE DATA USING BIN_PACK."""
    statement.expect("OPTIMIZE")
    schema, table = statement.name().within(database)
    statement.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    return schema, table, query(statement.rest()) if not statement.done else ""


def unload(statement: Reader) -> tuple[str, dict[str, str], str]:
    """Return query, properties and location of UNLOAD (query) TO 'location' WITH (...)."""
    statement.expect("UNLOAD")
    body = statement.group()
    statement.expect("TO")
    location = statement.string()
    properties = _properties(statement) if statement.accept("WITH") else {}
    statement.expect_end()
    return body, properties, location
