"""Holds callers to what IAM and Lake Formation let them do and see, in the calls of the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from athena_bench.callers import CURRENT, Caller
from athena_bench.grants import EVERYBODY, Grants, Readable
from athena_bench.lake_formation import LakeFormation
from athena_bench.policies import catalog_arns, missing, object_arn, work_group_arn
from athena_bench.server import ATHENA, GLUE, LAKE_FORMATION, ApiError, Operation

_ACTIONS = {ATHENA: "athena", GLUE: "glue", LAKE_FORMATION: "lakeformation"}
_WANTED_OF_TABLE = {
    "UpdateTable": {"ALTER"},
    "DeleteTable": {"DROP"},
    **{f"{verb}Partition": {"INSERT", "ALTER"} for verb in ("Create", "BatchCreate", "Update")},
    **{f"{verb}Partition": {"DELETE", "ALTER"} for verb in ("Delete", "BatchDelete")},
}
"""Of which permissions on a table each operation of Glue wants one."""

_WANTED_OF_WRITES = {"INSERT", "ALTER"}
"""Of which each other operation wants one that writes; what one of those that read gives is trimmed."""

_READS = ("Get", "BatchGet", "Search")

_WANTED_OF_DATABASE = {"CreateTable": {"CREATE_TABLE"}, "UpdateDatabase": {"ALTER"}, "DeleteDatabase": {"DROP"}}
_OF_ADMINISTRATORS = frozenset(
    (
        *("GrantPermissions", "RevokePermissions", "BatchGrantPermissions", "BatchRevokePermissions"),
        *("PutDataLakeSettings", "AddLFTagsToResource", "RemoveLFTagsFromResource"),
        *(f"{verb}{what}" for verb in ("Create", "Update", "Delete") for what in ("LFTag", "DataCellsFilter")),
    )
)
_COLUMNS = {"Columns": "Name", "PartitionKeys": "Name", "ColumnStatisticsList": "ColumnName"}
"""The lists in Glue's answers that have an entry for each column, and what is the column's name in it."""

_OF_TABLES = frozenset({"Table", "TableVersion", "TableVersions", "Partition", "Partitions", "StorageDescriptor"})
"""The parts of Glue's answers that such lists are in."""

_READ_ACTIONS = ("glue:GetDatabase", "glue:GetTable")


class Access:
    """What one caller may do and see of the catalog.

    Args:
        caller: not the administrator.
        lake_formation: where the grants are.
        region: of the catalog.
    """

    def __init__(self, caller: Caller, lake_formation: LakeFormation, region: str) -> None:
        self.caller = caller
        self._lake_formation = lake_formation
        self._region = region

    @cached_property
    def _grants(self) -> Grants:
        return self._lake_formation.grants_of({self.caller.principal, EVERYBODY})

    @cached_property
    def _everybodys(self) -> Grants:
        return self._lake_formation.grants_of({EVERYBODY})

    @cached_property
    def is_lake_administrator(self) -> bool:
        """Whether Lake Formation's settings name the caller."""
        admins = self._lake_formation.settings().get("DataLakeAdmins", ())
        return self.caller.principal in {one["DataLakePrincipalIdentifier"] for one in admins}

    def may_administer(self, operation: str, request: dict[str, Any]) -> bool:
        """Tell whether the caller may change what Lake Formation keeps: as its administrator, or to pass on a grant."""
        passes_on = operation == "GrantPermissions" and self._lake_formation.may_grant(self.caller.principal, request)
        return self.is_lake_administrator or passes_on

    def lacks(self, action: str, *resources: str) -> str | None:
        """Return IAM's sentence where an action on a resource is not permitted."""
        return missing(self.caller.statements, self.caller.arn, action, resources)

    def of_database(self, name: str) -> set[str]:
        """Return what Lake Formation lets the caller do with a database."""
        granted = self._grants.of_database(name, self._lake_formation.tags_of_database(name))
        return granted | ({"CREATE_TABLE", "ALTER", "DROP", "DESCRIBE"} if self.is_lake_administrator else set())

    def of_table(self, database: str, name: str) -> set[str]:
        """Return what Lake Formation lets the caller do with a table."""
        granted = self._grants.of_table(database, name, self._lake_formation.tags_of_table(database, name))
        return granted | ({"ALTER", "DROP", "DESCRIBE"} if self.is_lake_administrator else set())

    def may_make_databases(self) -> bool:
        """Tell whether Lake Formation lets the caller make databases."""
        everybody_may = bool(self._lake_formation.settings().get("CreateDatabaseDefaultPermissions"))
        return everybody_may or self.is_lake_administrator or "CREATE_DATABASE" in self._grants.of_catalog()

    def is_open(self, database: str, name: str) -> bool:
        """Tell whether Lake Formation leaves a table to IAM."""
        return bool(self._everybodys.of_table(database, name, self._lake_formation.tags_of_table(database, name)))

    def readable(self, database: str, name: str, columns: list[str]) -> Readable:
        """Return what Lake Formation lets the caller read of a table's columns."""
        return self._grants.readable(database, name, columns, self._lake_formation.tags_of_table(database, name))

    def why_no_data(self, table: dict[str, Any], action: str) -> str | None:
        """Return why the caller may not read or write a table's files; None where it may.

        Args:
            table: of Glue.
            action: of S3, such as `s3:GetObject`; what Lake Formation governs is read by its own keys.
        """
        database, name = table["DatabaseName"], table["Name"]
        arns = catalog_arns(self._region, database, name)
        for wanted in _READ_ACTIONS:
            if why := self.lacks(wanted, *arns):
                return why
        if not self.is_open(database, name):
            return self.lacks("lakeformation:GetDataAccess", "*")
        location = table.get("StorageDescriptor", {}).get("Location")
        return self.lacks(action, object_arn(f"{location.rstrip('/')}/*")) if location else None

    def lacks_change(self, database: str, name: str) -> str | None:
        """Return IAM's sentence where the caller may not change a table; None where it may."""
        return self.lacks("glue:UpdateTable", *catalog_arns(self._region, database, name))

    def why_no_table(self, database: str) -> str | None:
        """Return why the caller may not make a table in a database; None where it may."""
        if why := self.lacks("glue:CreateTable", *catalog_arns(self._region, database, "*")[:2]):
            return why
        if "CREATE_TABLE" not in self.of_database(database):
            return f"Insufficient Lake Formation permission(s): Required Create Table on {database}"
        return None


class Guard:
    """Answers calls as far as the caller may make them.

    Args:
        lake_formation: where the grants are.
        region: of the catalog.
        work_group_of: gives the workgroup of a query execution by its id.
    """

    def __init__(self, lake_formation: LakeFormation, region: str, work_group_of: Callable[[str], str | None]) -> None:
        self._lake_formation = lake_formation
        self._region = region
        self._work_group_of = work_group_of

    def access(self, caller: Caller) -> Access:
        """Return what a caller may do, as it is now."""
        return Access(caller, self._lake_formation, self._region)

    def __call__(self, target: str, request: dict[str, Any], operation: Operation) -> dict[str, Any]:
        """Answer a call of the caller at work.

        Raises:
            ApiError: AccessDeniedException, or what the operation raises.
        """
        caller = CURRENT.get()
        if not caller.is_held:
            response = operation(request)
            self._note_made(target, request, None)
            return response
        prefix, _, name = target.partition(".")
        access = self.access(caller)
        if why := access.lacks(f"{_ACTIONS[prefix]}:{name}", *self._resources(prefix, request)):
            raise _denied(why)
        if prefix == GLUE:
            self._check_grants(access, name, request)
        if prefix == LAKE_FORMATION and name in _OF_ADMINISTRATORS and not access.may_administer(name, request):
            raise _denied("Resource does not exist or requester is not authorized to access requested permissions.")
        response = operation(request)
        self._note_made(target, request, caller.principal)
        return _shown(access, response, *_named(request)) if prefix == GLUE and name.startswith(_READS) else response

    def check_object(self, action: str, arn: str) -> None:
        """Make sure that the caller at work may do something with an object or a bucket.

        Raises:
            ApiError: it may not.
        """
        caller = CURRENT.get()
        if caller.is_held and (why := self.access(caller).lacks(action, arn)):
            raise ApiError("AccessDenied", why, 403)

    def note_table(self, database: str, table: str, caller: Caller) -> None:
        """Grant a table that the engine made to the caller who had it made."""
        if caller.is_held:
            self._lake_formation.made(_table(database, table), "Nothing", caller.principal)

    def _resources(self, prefix: str, request: dict[str, Any]) -> list[str]:
        if prefix == GLUE:
            database, table = _named(request)
            return catalog_arns(self._region, database, table)
        if prefix == LAKE_FORMATION:
            return ["*"]
        work_group = request.get("WorkGroup") or self._work_group_of(str(request.get("QueryExecutionId"))) or "primary"
        return [work_group_arn(self._region, work_group)]

    def _check_grants(self, access: Access, name: str, request: dict[str, Any]) -> None:
        database, table = _named(request)
        if name == "CreateDatabase":
            if not access.may_make_databases():
                raise _denied("Insufficient Lake Formation permission(s): Required Create Database on Catalog")
        elif database and name in _WANTED_OF_DATABASE:
            wanted = _WANTED_OF_DATABASE[name]
            if not access.of_database(database) & wanted:
                raise _denied(f"Insufficient Lake Formation permission(s): Required {_words(wanted)} on {database}")
        elif name == "BatchDeleteTable":
            for one in request["TablesToDelete"]:
                self._check_table(access, "DeleteTable", str(database), one)
        elif database and table:
            self._check_table(access, name, database, table)

    def _check_table(self, access: Access, name: str, database: str, table: str) -> None:
        granted = access.of_table(database, table)
        wanted = _WANTED_OF_TABLE.get(name, _WANTED_OF_WRITES)
        if not name.startswith(_READS) and not granted & wanted:
            raise _denied(f"Insufficient Lake Formation permission(s): Required {_words(wanted)} on {table}")

    def _note_made(self, target: str, request: dict[str, Any], maker: str | None) -> None:
        if target == f"{GLUE}.CreateDatabase":
            resource = {"Database": {"Name": request["DatabaseInput"]["Name"].lower()}}
            self._lake_formation.made(resource, "Database", maker)
        elif target == f"{GLUE}.CreateTable":
            database, name = request["DatabaseName"].lower(), request["TableInput"]["Name"].lower()
            self._lake_formation.made(_table(database, name), "Table", maker)


def _table(database: str, name: str) -> dict[str, Any]:
    return {"Table": {"DatabaseName": database, "Name": name}}


def _named(request: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the database and the table that a call of Glue is about."""
    name = (
        request.get("Name") or request.get("TableInput", {}).get("Name") or request.get("DatabaseInput", {}).get("Name")
    )
    database, table = request.get("DatabaseName"), request.get("TableName")
    if database is None:
        database = name
    elif table is None:
        table = name
    return database and database.lower(), table and table.lower()


def _words(permissions: set[str]) -> str:
    return " or ".join(one.replace("_", " ").title() for one in sorted(permissions))


def _denied(why: str) -> ApiError:
    return ApiError("AccessDeniedException", why)


# What is shown


def _shown(access: Access, response: dict[str, Any], database: str | None, name: str | None) -> dict[str, Any]:
    """Return an answer of Glue with what the caller may see: databases, tables and columns.

    Args:
        access: of the caller.
        response: the answer.
        database: what was asked for, if it was one, or one's table.
        name: of that table.
    """
    if "TableList" in response:
        seen = [one for one in response["TableList"] if access.of_table(one["DatabaseName"], one["Name"])]
        return {**response, "TableList": [_trimmed(access, one, one["DatabaseName"], one["Name"]) for one in seen]}
    if "DatabaseList" in response:
        seen = [one for one in response["DatabaseList"] if access.of_database(one["Name"])]
        return {**response, "DatabaseList": seen}
    if "Database" in response and not access.of_database(response["Database"]["Name"]):
        raise _denied(f"Insufficient Lake Formation permission(s): Required Describe on {response['Database']['Name']}")
    if not (database and name):
        return response
    if not access.of_table(database, name):
        raise _denied(f"Insufficient Lake Formation permission(s) on {name}")
    return _trimmed(access, response, database, name)


def _trimmed(access: Access, told: dict[str, Any], database: str, name: str) -> dict[str, Any]:
    """Return what Glue tells about a table, at any depth, without the columns that the caller may not see."""
    if access.of_table(database, name) - {"SELECT", "INSERT", "DELETE"}:
        return told  # who may describe or alter it sees all of it
    trimmed: dict[str, Any] = {}
    for key, value in told.items():
        if key in _COLUMNS:
            names = [one[_COLUMNS[key]] for one in value or ()]
            readable = access.readable(database, name, names).columns
            trimmed[key] = [one for one in value or () if one[_COLUMNS[key]] in readable]
        elif key in _OF_TABLES and isinstance(value, list):
            trimmed[key] = [_trimmed(access, one, database, name) for one in value]
        else:
            trimmed[key] = _trimmed(access, value, database, name) if key in _OF_TABLES else value
    return trimmed
