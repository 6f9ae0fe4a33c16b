"""Lake Formation's grants: what a principal may do with a database or a table, and what it may read of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
"""Whoever IAM permits: Lake Formation holds back nothing where it has a grant."""

_OF_TABLES = frozenset({"SELECT", "INSERT", "DELETE", "ALTER", "DROP", "DESCRIBE"})
_OF_DATABASES = frozenset({"CREATE_TABLE", "ALTER", "DROP", "DESCRIBE"})

Tags = dict[str, list[str]]


@dataclass
class Readable:
    """What may be read of a table.

    Attributes:
        columns: the columns, each with the conditions of which one must hold for a row; none where there are no
            conditions on it.
    """

    columns: dict[str, set[str]] = field(default_factory=dict)

    def add(self, columns: Iterable[str], condition: str | None = None) -> None:
        """Let columns be read, in the rows of a condition where there is one."""
        for column in columns:
            known = self.columns.get(column)
            is_whole = condition is None or known == set()
            self.columns[column] = set() if is_whole else {*(known or ()), str(condition)}

    @property
    def rows(self) -> set[str]:
        """The conditions of which one must hold for a row to be seen at all; none where all rows are."""
        if not all(self.columns.values()):
            return set()
        return {condition for conditions in self.columns.values() for condition in conditions}


@dataclass(frozen=True)
class Grant:
    """A grant: what one principal may do with one resource."""

    principal: str
    kind: str
    resource: dict[str, Any]
    permissions: frozenset[str]

    def covers_table(self, database: str, name: str) -> bool:
        """Tell whether it is of a table by name, or of all tables of its database."""
        return (
            self.kind in ("Table", "TableWithColumns")
            and self.resource["DatabaseName"] == database
            and ("TableWildcard" in self.resource or self.resource.get("Name") == name)
        )

    def covers_tags(self, kind: str, tags: Tags) -> bool:
        """Tell whether it is of what bears tags, `DATABASE` or `TABLE`."""
        return (
            self.kind == "LFTagPolicy"
            and self.resource["ResourceType"] == kind
            and all(
                set(tags.get(wanted["TagKey"], ())) & set(wanted["TagValues"]) for wanted in self.resource["Expression"]
            )
        )


@dataclass(frozen=True)
class TableTags:
    """The tags of a table's columns, and of the table itself, with those that it inherits."""

    table: Tags
    columns: dict[str, Tags]


class Grants:
    """The grants of some principals, such as those of a role and of everybody.

    Args:
        found: as ListPermissions gives them.
        principals: whose count.
        filters: the data cells filters, by database, table and name.
    """

    def __init__(
        self,
        found: Iterable[dict[str, Any]],
        principals: set[str],
        filters: dict[tuple[str, str, str], dict[str, Any]],
    ) -> None:
        self._filters = filters
        self._grants = list(_read(found, principals))

    def of_catalog(self) -> set[str]:
        """Return what may be done with the catalog itself, such as CREATE_DATABASE."""
        return {one for grant in self._grants if grant.kind == "Catalog" for one in grant.permissions}

    def of_database(self, name: str, tags: Tags) -> set[str]:
        """Return what may be done with a database."""
        return _expanded(
            (
                grant
                for grant in self._grants
                if (grant.kind == "Database" and grant.resource["Name"] == name) or grant.covers_tags("DATABASE", tags)
            ),
            _OF_DATABASES,
        )

    def of_table(self, database: str, name: str, tags: TableTags) -> set[str]:
        """Return what may be done with a table; SELECT may be of a part of it."""
        of_filters = (
            grant
            for grant in self._grants
            if grant.kind == "DataCellsFilter"
            and (grant.resource["DatabaseName"], grant.resource["TableName"]) == (database, name)
        )
        direct = (
            grant
            for grant in self._grants
            if grant.covers_table(database, name)
            or any(grant.covers_tags("TABLE", one) for one in (tags.table, *tags.columns.values()))
        )
        return _expanded((*direct, *of_filters), _OF_TABLES)

    def readable(self, database: str, name: str, columns: list[str], tags: TableTags) -> Readable:
        """Return what may be read of a table.

        Args:
            database: its database's name.
            name: its name.
            columns: all its columns.
            tags: of itself and of its columns.
        """
        readable = Readable()
        for grant in self._grants:
            if not grant.permissions & {"SELECT", "ALL"}:
                continue
            if grant.covers_table(database, name):
                readable.add(_columns(grant.resource, columns))
            elif grant.kind == "LFTagPolicy":
                readable.add(one for one in columns if grant.covers_tags("TABLE", tags.columns.get(one, tags.table)))
            elif grant.kind == "DataCellsFilter":
                key = (grant.resource["DatabaseName"], grant.resource["TableName"], grant.resource["Name"])
                if key[:2] == (database, name) and key in self._filters:
                    cells = self._filters[key]
                    readable.add(_columns(cells, columns), cells.get("RowFilter", {}).get("FilterExpression"))
        return readable


def _read(found: Iterable[dict[str, Any]], principals: set[str]) -> Iterator[Grant]:
    for grant in found:
        principal = grant["Principal"]["DataLakePrincipalIdentifier"]
        if principal in principals:
            ((kind, resource),) = grant["Resource"].items()
            yield Grant(principal, kind, resource, frozenset(grant["Permissions"]))


def _columns(resource: dict[str, Any], columns: list[str]) -> list[str]:
    """Return the columns of a table that a grant or a filter names."""
    if "ColumnWildcard" in resource:
        excluded = resource["ColumnWildcard"].get("ExcludedColumnNames", ())
        return [column for column in columns if column not in excluded]
    if resource.get("ColumnNames"):
        return [column for column in columns if column in resource["ColumnNames"]]
    return columns


def _expanded(grants: Iterable[Grant], all_of: frozenset[str]) -> set[str]:
    permissions = {permission for grant in grants for permission in grant.permissions}
    return permissions | (all_of if permissions & {"ALL", "SUPER"} else frozenset())
