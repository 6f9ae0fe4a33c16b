"""Runs a statement of Athena: on the engine, in Glue, or first on one and then in the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from athena_bench import translate
from athena_bench.catalog import Catalog, is_iceberg, is_view
from athena_bench.engine import HIVE_CATALOG, ICEBERG_CATALOG, USER, Answer, Column, Engine
from athena_bench.errors import QueryError, RefusedError
from athena_bench.prepared import PreparedStatements
from athena_bench.results import hive_type
from athena_bench.rights import Rights
from athena_bench.show import show
from athena_bench.statement import Kind, Name, Reader, Statement, read
from athena_bench.translate import qualified

_STRING = "string"
_OF_THE_ENGINE = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE, Kind.EXPLAIN})
"""Statements of the engine's grammar, but for the names in their heads."""

_MOST_PARSED = 2_000
"""Shapes of statements that are known to be parsed; a run of dbt asks the same again and again."""


@dataclass
class Run:
    """One statement on its way.

    Attributes:
        id: of the query execution.
        statement: what was asked.
        workgroup: the one of prepared statements.
        database: the one of names without one.
        output: the folder of results, `s3://bucket/folder/`.
        parameters: the values of `?`, each as written in SQL.
        session: properties of the engine's session.
        user: the engine's, which has the rights of who asks.
        on_start: is given a function that cancels what runs on the engine.
        as_run: what ran on the engine, in order.
        input_bytes: what that read from storage.
    """

    id: str
    statement: Statement
    workgroup: str
    database: str
    output: str
    parameters: tuple[str, ...] = ()
    session: dict[str, str] = field(default_factory=dict)
    on_start: Callable[[Callable[[], None]], None] = lambda cancel: None
    user: str = USER
    as_run: list[str] = field(default_factory=list)
    input_bytes: int = 0


class Runner:
    """Runs statements.

    Args:
        engine: where queries run.
        catalog: Glue.
        prepared: what PREPARE keeps.
        rights: what the caller at work may do.
    """

    def __init__(self, engine: Engine, catalog: Catalog, prepared: PreparedStatements, rights: Rights) -> None:
        self.rights = rights
        self.engine = engine
        self.catalog = catalog
        self.prepared = prepared
        self._parsed: set[str] = set()

    def check_syntax(self, statement: Statement) -> None:
        """Let the engine parse a statement of its own grammar, and nothing more.

        Raises:
            QueryError: it can't; the position is that in the statement.
            RefusedError: the statement is not written as Athena wants it.
            EngineError: the engine is gone.
        """
        if statement.kind in _OF_THE_ENGINE:
            text = statement.text
        elif statement.kind is Kind.CREATE_TABLE_AS:
            text = translate.read_create_table_as(statement.reader()).query
        elif statement.kind is Kind.UNLOAD:
            text = translate.unload(statement.reader())[0]
        else:
            return
        shape = Reader(text, hive=False).shape()
        if shape in self._parsed:
            return
        before, _, _ = statement.text.partition(text)
        try:
            # On lines of its own, so that its positions are told as they are.
            self.engine.run(f"PREPARE asked FROM\n{text}")
        except QueryError as error:
            raise QueryError(error.name, error.kind, _moved(error.message, before)) from error
        if len(self._parsed) >= _MOST_PARSED:
            self._parsed.clear()
        self._parsed.add(shape)

    def run(self, run: Run) -> Answer:
        """Run a statement to its end.

        Raises:
            QueryError: it failed.
            RefusedError: Athena or the bench takes no such statement.
            EngineError: the engine is gone.
        """
        run.user = self.rights.user()
        kind = run.statement.kind
        reader = run.statement.reader()
        match kind:
            case Kind.SELECT | Kind.INSERT | Kind.UPDATE | Kind.DELETE | Kind.MERGE:
                return self._ask(run, translate.query(run.statement.text))
            case Kind.EXPLAIN:
                return _as_text(self._ask(run, translate.query(run.statement.text)), "Query Plan")
            case Kind.CREATE_TABLE_AS:
                return self._create_table_as(run, reader)
            case Kind.UNLOAD:
                return self._unload(run, reader)
            case Kind.CREATE_VIEW:
                return self._create_view(run)
            case Kind.CREATE_TABLE:
                return self._create_table(run, reader)
            case Kind.DROP_TABLE | Kind.DROP_VIEW:
                return self._drop(run, reader)
            case Kind.ALTER_TABLE:
                return self._alter_table(run, reader)
            case Kind.CREATE_DATABASE:
                return self._tell(run, self.catalog.create_database, reader)
            case Kind.ALTER_DATABASE:
                return self._tell(run, self.catalog.alter_database, reader)
            case Kind.DROP_DATABASE:
                return self._drop_database(run, reader)
            case Kind.REPAIR_TABLE:
                return self._repair_table(run, reader)
            case Kind.SHOW | Kind.DESCRIBE:
                run.as_run.append("(asked of Glue)")
                heading, lines = show(self.catalog, reader, run.database)
                return _lines(heading, lines)
            case Kind.OPTIMIZE:
                return self._optimize(run, reader)
            case Kind.VACUUM:
                return self._vacuum(run, reader)
            case Kind.PREPARE:
                return self._tell(run, self.prepared.prepare, run.workgroup, reader)
            case Kind.EXECUTE:
                return self._execute(run, reader)
            case Kind.DEALLOCATE:
                return self._tell(run, self.prepared.deallocate, run.workgroup, reader)
        raise RefusedError(f"The bench does not run {kind} statements")

    # On the engine

    def _ask(self, run: Run, sql: str, session: dict[str, str] | None = None) -> Answer:
        if run.parameters:
            values = ", ".join(map(translate.parameter, run.parameters))
            sql = f"EXECUTE IMMEDIATE {translate.literal(sql)} USING {values}"
        run.as_run.append(sql)
        try:
            answer = self.engine.run(
                sql,
                schema=run.database,
                session=run.session | (session or {}),
                user=run.user,
                on_start=run.on_start,
            )
        except QueryError as error:
            run.input_bytes += error.input_bytes
            raise self.rights.explained(error, run.statement.text) from error
        run.input_bytes += answer.input_bytes
        return answer

    def _create_table_as(self, run: Run, reader: Reader) -> Answer:
        table = translate.read_create_table_as(reader)
        database, name = table.name.within(run.database)
        if not table.exists_ok and self.catalog.table(database, name):
            raise QueryError("TABLE_ALREADY_EXISTS", "USER_ERROR", f"Table '{database}.{name}' already exists")
        default = f"{run.output}tables/{run.id}/" if run.output else ""
        translation = translate.create_table_as(table, database, name, default)
        assert translation.query is not None
        if table.is_iceberg:
            self._check_precision(run, translation.query)
        answer = self._ask(run, translation.sql, translation.session)
        self.rights.made(database, name)
        return answer

    def _check_precision(self, run: Run, query: str) -> None:
        """Refuse what Athena refuses: Iceberg holds timestamps of six digits only, the engine would change others."""
        answer = self.engine.run(
            "DESCRIBE OUTPUT asked",
            schema=run.database,
            session=run.session,
            prepared={"asked": query},
            user=run.user,
        )
        for row in answer.rows:
            name, type_ = str(row[0]), str(row[4])
            if digits := re.search(r"timestamp\(([0-57-9]|1[0-2])\)", type_):
                raise QueryError(
                    "NOT_SUPPORTED",
                    "USER_ERROR",
                    f'Timestamp precision ({digits[1]}) not supported for Iceberg. Use "timestamp(6)" instead: {name}',
                )

    def _unload(self, run: Run, reader: Reader) -> Answer:
        query, given, location = translate.unload(reader)
        compression = given.pop("compression", None)
        properties = {"external_location": translate.literal(location), **given}
        if compression:
            properties["write_compression"] = compression
        name = f"unload_{run.id.replace('-', '_')}"
        table = translate.TableAs(Name((name,)), False, properties, query, True)
        translation = translate.create_table_as(table, run.database, name, location)
        try:
            # Where a table is made, Athena too passes over the order of its query; a file keeps it.
            return self._ask(run, translation.sql, {**translation.session, "skip_redundant_sort": "false"})
        finally:
            if self.catalog.table(run.database, name):
                self.catalog.drop_table(run.database, name)

    def _create_view(self, run: Run) -> Answer:
        reader = run.statement.reader()
        reader.expect("CREATE")
        head = "CREATE OR REPLACE VIEW" if reader.accept("OR", "REPLACE") else "CREATE VIEW"
        reader.expect("VIEW")
        database, name = reader.name().within(run.database)
        body = reader.rest()
        answer = self._ask(
            run, translate.query(f"{head} {qualified(HIVE_CATALOG, database, name)} SECURITY INVOKER {body}")
        )
        described = self.engine.run(f"DESCRIBE {qualified(HIVE_CATALOG, database, name)}", session=run.session)
        self.rights.made(database, name)
        self.catalog.set_view_columns(database, name, [(str(row[0]), hive_type(str(row[1]))) for row in described.rows])
        return answer

    def _create_table(self, run: Run, reader: Reader) -> Answer:
        if reader.peek(2) == ("CREATE", "EXTERNAL"):
            return self._tell(run, self.catalog.create_external_table, reader, run.database)
        reader.expect("CREATE", "TABLE")
        exists_ok = reader.accept("IF", "NOT", "EXISTS")
        database, name = reader.name().within(run.database)
        translation = translate.create_iceberg_table(reader, database, name, exists_ok)
        answer = self._ask(run, translation.sql, translation.session)
        self.rights.made(database, name)
        return answer

    def _drop(self, run: Run, reader: Reader) -> Answer:
        wants_view = reader.peek(2) == ("DROP", "VIEW")
        reader.skip(2)
        missing_ok = reader.accept("IF", "EXISTS")
        database, name = reader.name().within(run.database)
        reader.expect_end()
        found = self.catalog.table(database, name)
        if found is None:
            if missing_ok:
                return Answer((), [])
            raise QueryError("TABLE_NOT_FOUND", "USER_ERROR", f"Table not found {database}.{name}")
        if wants_view != is_view(found):
            what = "a view" if is_view(found) else "a table"
            raise QueryError("TABLE_NOT_FOUND", "USER_ERROR", f"{database}.{name} is {what}")
        if is_iceberg(found):
            return self._ask(run, f"DROP TABLE {qualified(ICEBERG_CATALOG, database, name)}")
        return self._tell(run, self.catalog.drop_table, database, name)

    def _drop_database(self, run: Run, reader: Reader) -> Answer:
        """Drop a database; CASCADE takes the Iceberg tables' files with them, as Athena does."""
        reader.skip(2)
        missing_ok = reader.accept("IF", "EXISTS")
        database = reader.name().parts[-1].lower()
        cascade = reader.accept("CASCADE")
        reader.accept("RESTRICT")
        reader.expect_end()
        tables = self.catalog.tables(database) if database in self.catalog.databases() else []
        if tables and not cascade:
            raise QueryError(
                "SCHEMA_NOT_EMPTY", "USER_ERROR", f"Cannot drop database {database}: it is not empty. Use CASCADE"
            )
        for table in filter(is_iceberg, tables):
            self._ask(run, f"DROP TABLE {qualified(ICEBERG_CATALOG, database, table['Name'])}")
        return self._tell(run, self.catalog.drop_database, database, missing_ok)

    def _alter_table(self, run: Run, reader: Reader) -> Answer:
        reader.skip(2)
        database, name = reader.name().within(run.database)
        found = self.catalog.existing(database, name)
        if is_iceberg(found):
            answer = Answer((), [])
            for translation in translate.alter_iceberg_table(reader, database, name):
                answer = self._ask(run, translation.sql)
            return answer
        return self._tell(run, self.catalog.alter_table, reader, database, name)

    def _repair_table(self, run: Run, reader: Reader) -> Answer:
        reader.skip(3)
        database, name = reader.name().within(run.database)
        reader.expect_end()
        self.catalog.existing(database, name)
        self.rights.check_partitions(database, name)
        return self._ask(
            run,
            f"CALL {HIVE_CATALOG}.system.sync_partition_metadata"
            f"({translate.literal(database)}, {translate.literal(name)}, 'ADD', false)",
        )

    def _optimize(self, run: Run, reader: Reader) -> Answer:
        database, name, condition = translate.optimize(reader, run.database)
        self._existing_iceberg(database, name, "OPTIMIZE")
        table = qualified(ICEBERG_CATALOG, database, name)
        try:
            return self._ask(run, f"ALTER TABLE {table} EXECUTE optimize {condition}".rstrip())
        except QueryError as error:
            if "Unexpected FilterNode found in plan" not in error.message:
                raise
            raise RefusedError(f"OPTIMIZE takes partition columns only in its WHERE: {condition}") from error

    def _vacuum(self, run: Run, reader: Reader) -> Answer:
        reader.expect("VACUUM")
        database, name = reader.name().within(run.database)
        reader.expect_end()
        self._existing_iceberg(database, name, "VACUUM")
        table = qualified(ICEBERG_CATALOG, database, name)
        properties = self.engine.run(
            f"SELECT key, value FROM {qualified(ICEBERG_CATALOG, database, f'{name}$properties')}"
        )
        given = {str(row[0]): str(row[1]) for row in properties.rows}
        age = given.get("vacuum_max_snapshot_age_seconds", "432000")
        self._ask(run, f"ALTER TABLE {table} EXECUTE expire_snapshots(retention_threshold => '{age}s')")
        return self._ask(run, f"ALTER TABLE {table} EXECUTE remove_orphan_files(retention_threshold => '{age}s')")

    def _existing_iceberg(self, database: str, name: str, statement: str) -> None:
        if not is_iceberg(self.catalog.existing(database, name)):
            raise QueryError(
                "NOT_SUPPORTED", "USER_ERROR", f"{statement} is for Iceberg tables; {database}.{name} is none"
            )

    def _execute(self, run: Run, reader: Reader) -> Answer:
        """Run a prepared statement; what it ran and read counts for the run that asked."""
        name, parameters = self.prepared.execute(reader)
        run.statement = read(self.prepared.query_of(run.workgroup, name))
        run.parameters = parameters or run.parameters
        if run.statement.kind in (Kind.PREPARE, Kind.EXECUTE, Kind.DEALLOCATE):
            raise RefusedError(f"The prepared statement {name} is itself a {run.statement.kind}")
        return self.run(run)

    def _tell(self, run: Run, change: Callable[..., None], *arguments: object) -> Answer:
        run.as_run.append("(told Glue)")
        change(*arguments)
        return Answer((), [])


def _moved(message: str, before: str) -> str:
    """Return an error of a text behind the line of PREPARE as that of the statement that has more text before it."""
    position = re.match(r"line (\d+):(\d+)", message)
    if position is None:
        return message
    line, column = int(position[1]) - 1, int(position[2])
    column += len(before.rpartition("\n")[2]) if line == 1 else 0
    return f"line {line + before.count(chr(10))}:{column}{message[position.end() :]}"


def _lines(heading: str, lines: list[str]) -> Answer:
    return Answer(tuple(Column(name, _STRING, {}) for name in heading.split("\t")), [[line] for line in lines])


def _as_text(answer: Answer, heading: str) -> Answer:
    lines = [line for row in answer.rows for line in str(row[0]).splitlines()]
    return Answer((Column(heading, _STRING, {}),), [[line] for line in [heading, *lines]], input_bytes=0)
