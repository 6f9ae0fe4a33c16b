"""Lake Formation of the bench: tags of resources, grants and data cells filters, which moto keeps in part only."""

from __future__ import annotations

import json
import uuid
from typing import Any

from athena_bench.grants import Grants, TableTags, Tags
from athena_bench.server import LAKE_FORMATION, ApiError, Operation, Server

_Tagged = tuple[str, str | None, str | None]
"""Database, table and column; None for what is not below."""
_FilterKey = tuple[str, str, str]
"""Database, table and name of a data cells filter."""

_RESOURCE_TYPES = {
    "CATALOG": ("Catalog",),
    "DATABASE": ("Database",),
    "TABLE": ("Table", "TableWithColumns"),
    "DATA_LOCATION": ("DataLocation",),
    "LF_TAG": ("LFTag",),
    "LF_TAG_POLICY": ("LFTagPolicy",),
}


class LakeFormation:
    """The operations that the bench adds to moto's Lake Formation; `guard.py` holds callers to what they say.

    Args:
        server: where the operations are registered, and whose moto keeps the tags that may be given.
    """

    def __init__(self, server: Server) -> None:
        self._moto = server
        self._tags: dict[_Tagged, dict[str, list[str]]] = {}
        self._grants: dict[str, dict[str, Any]] = {}
        self._filters: dict[_FilterKey, dict[str, Any]] = {}
        operations: dict[str, Operation] = {
            "AddLFTagsToResource": self._add_tags,
            "RemoveLFTagsFromResource": self._remove_tags,
            "GetResourceLFTags": self._get_tags,
            "GrantPermissions": self._grant,
            "RevokePermissions": self._revoke,
            "BatchGrantPermissions": lambda request: self._batch(self._grant, request),
            "BatchRevokePermissions": lambda request: self._batch(self._revoke, request),
            "ListPermissions": self._list_permissions,
            "CreateDataCellsFilter": self._create_filter,
            "GetDataCellsFilter": self._get_filter,
            "UpdateDataCellsFilter": self._update_filter,
            "DeleteDataCellsFilter": self._delete_filter,
            "ListDataCellsFilter": self._list_filters,
        }
        server.register(LAKE_FORMATION, operations, self._clear)

    def forget(self, database: str, table: str | None) -> None:
        """Drop what is kept of a table, or of a database and all its tables (`table` is None)."""
        for tagged in [key for key in self._tags if key[0] == database and table in (None, key[1])]:
            del self._tags[tagged]
        for named in [key for key in self._filters if key[0] == database and table in (None, key[1])]:
            del self._filters[named]
        for granted, grant in list(self._grants.items()):
            kind, resource = _kind_of(grant["Resource"])
            if kind == "Database":
                gone = resource["Name"] == database and table is None
            else:
                of_table = resource.get("TableName", resource.get("Name"))
                gone = resource.get("DatabaseName") == database and table in (None, of_table)
            if gone:
                del self._grants[granted]

    def settings(self) -> dict[str, Any]:
        """Return the settings: who administers, and what is granted of what is made."""
        settings: dict[str, Any] = self._moto.forward(f"{LAKE_FORMATION}.GetDataLakeSettings", {})["DataLakeSettings"]
        return settings

    def grants_of(self, principals: set[str]) -> Grants:
        """Return the grants of principals."""
        return Grants(list(self._grants.values()), principals, dict(self._filters))

    def may_grant(self, principal: str, request: dict[str, Any]) -> bool:
        """Tell whether a principal holds what a GrantPermissions grants, with the option to pass it on."""
        key = _grant_key({"DataLakePrincipalIdentifier": principal}, _without_catalog(request["Resource"]))
        held = self._grants.get(key, {}).get("PermissionsWithGrantOption", [])
        return {*request["Permissions"]} <= {*held}

    def made(self, resource: dict[str, Any], kind: str, maker: str | None) -> None:
        """Grant what is granted of a new resource: by the settings, and everything to who made it.

        Args:
            resource: the new one, such as `{"Database": {"Name": "curated"}}`.
            kind: `Database` or `Table`, of the settings' names.
            maker: the principal; None for the administrator, who needs no grant.
        """
        given = [*self.settings().get(f"Create{kind}DefaultPermissions", ())]
        if maker:
            given.append({"Principal": {"DataLakePrincipalIdentifier": maker}, "Permissions": ["ALL"]})
        for grant in given:
            self._grant({**grant, "Resource": resource})

    def tags_of_database(self, name: str) -> Tags:
        """Return the tags of a database."""
        return self._known((name, None, None))

    def tags_of_table(self, database: str, name: str) -> TableTags:
        """Return the tags of a table and of its columns, with those that they inherit."""
        of_table = self._known((database, None, None)) | self._known((database, name, None))
        columns = [tagged for tagged in self._tags if tagged[:2] == (database, name) and tagged[2]]
        return TableTags(of_table, {str(tagged[2]): of_table | self._known(tagged) for tagged in columns})

    def _clear(self) -> None:
        self._tags.clear()
        self._grants.clear()
        self._filters.clear()

    # Tags

    def _add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        known = self._known_tags()
        failures = [
            {
                "LFTag": tag,
                "Error": {
                    "ErrorCode": "EntityNotFoundException",
                    "ErrorMessage": "Tag or tag value does not exist.",
                },
            }
            for tag in request["LFTags"]
            if not set(tag["TagValues"]) <= set(known.get(tag["TagKey"], []))
        ]
        if not failures:
            for tagged in _tagged_by(request["Resource"]):
                given = self._tags.setdefault(tagged, {})
                given.update({tag["TagKey"]: tag["TagValues"] for tag in request["LFTags"]})
        return {"Failures": failures}

    def _remove_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        for tagged in _tagged_by(request["Resource"]):
            for tag in request["LFTags"]:
                self._tags.get(tagged, {}).pop(tag["TagKey"], None)
        return {"Failures": []}

    def _get_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """The tags of a resource; a table has those of its database too, unless it has its own of the same key."""
        kind, _ = _kind_of(request["Resource"])
        inherits = not request.get("ShowAssignedLFTags", False)
        asked = _tagged_by(request["Resource"])
        database, table, _column = asked[0]
        of_database = self._known((database, None, None))
        if kind == "Database":
            return {"LFTagOnDatabase": _pairs(of_database)}
        of_table = (of_database if inherits else {}) | self._known((database, table, None))
        columns = {one for one in self._tags if one[:2] == (database, table) and one[2] is not None}
        if kind == "TableWithColumns":
            columns &= set(asked)
        answer: dict[str, Any] = {
            "LFTagOnDatabase": _pairs(of_database) if inherits else [],
            "LFTagsOnTable": _pairs(of_table),
            "LFTagsOnColumns": [
                {"Name": column[2], "LFTags": _pairs(self._known(column))}
                for column in sorted(columns)
                if self._known(column)
            ],
        }
        return {key: value for key, value in answer.items() if value}

    def _known(self, tagged: _Tagged) -> Tags:
        """Return the tags given to something itself, without those that are deleted since."""
        given = self._tags.get(tagged)
        if not given:
            return {}
        known = self._known_tags()
        return {key: values for key, values in given.items() if key in known}

    def _known_tags(self) -> dict[str, list[str]]:
        tags = self._moto.forward(f"{LAKE_FORMATION}.ListLFTags", {})["LFTags"]
        return {tag["TagKey"]: tag["TagValues"] for tag in tags}

    # Grants

    def _grant(self, request: dict[str, Any]) -> dict[str, Any]:
        principal, resource = request["Principal"], _without_catalog(request["Resource"])
        grant = self._grants.setdefault(
            _grant_key(principal, resource),
            {"Principal": principal, "Resource": resource, "Permissions": [], "PermissionsWithGrantOption": []},
        )
        for member in ("Permissions", "PermissionsWithGrantOption"):
            grant[member] = sorted({*grant[member], *request.get(member, [])})
        return {}

    def _revoke(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _grant_key(request["Principal"], _without_catalog(request["Resource"]))
        grant = self._grants.get(key)
        if grant is None:
            raise ApiError("InvalidInputException", "No permissions revoked. Grantee has no permissions on resource.")
        for member in ("Permissions", "PermissionsWithGrantOption"):
            grant[member] = sorted({*grant[member]} - {*request.get(member, [])})
        if not grant["Permissions"] and not grant["PermissionsWithGrantOption"]:
            del self._grants[key]
        return {}

    def _batch(self, operation: Operation, request: dict[str, Any]) -> dict[str, Any]:
        failures = []
        for entry in request["Entries"]:
            try:
                operation(entry)
            except ApiError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                failures.append({"RequestEntry": entry, "Error": detail})
        return {"Failures": failures}

    def _list_permissions(self, request: dict[str, Any]) -> dict[str, Any]:
        principal, resource, kind = (request.get(member) for member in ("Principal", "Resource", "ResourceType"))
        if principal is not None and resource is None:
            raise ApiError("InvalidInputException", "Resource is mandatory if Principal is set in the input.")
        found = [
            grant
            for grant in self._grants.values()
            if principal in (None, grant["Principal"])
            and (resource is None or _without_catalog(resource) == grant["Resource"])
            and (kind is None or _kind_of(grant["Resource"])[0] in _RESOURCE_TYPES[kind])
        ]
        return {"PrincipalResourcePermissions": found}

    # Data cells filters

    def _create_filter(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _filter_key(request["TableData"])
        if key in self._filters:
            raise ApiError("AlreadyExistsException", f"The data cells filter {'.'.join(key)} is there already.")
        self._keep_filter(key, request["TableData"])
        return {}

    def _get_filter(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"DataCellsFilter": self._filters[self._existing_filter(request)]}

    def _update_filter(self, request: dict[str, Any]) -> dict[str, Any]:
        self._keep_filter(self._existing_filter(request["TableData"]), request["TableData"])
        return {}

    def _delete_filter(self, request: dict[str, Any]) -> dict[str, Any]:
        key = self._existing_filter(request)
        del self._filters[key]
        for grant_key, grant in list(self._grants.items()):
            kind, resource = _kind_of(grant["Resource"])
            if kind == "DataCellsFilter" and _filter_key(resource) == key:
                del self._grants[grant_key]
        return {}

    def _list_filters(self, request: dict[str, Any]) -> dict[str, Any]:
        table = request.get("Table")
        asked = None if table is None else (table["DatabaseName"], table.get("Name"))
        return {
            "DataCellsFilters": [
                kept
                for (database, name, _), kept in self._filters.items()
                if asked is None or asked == (database, name) or asked == (database, None)
            ]
        }

    def _keep_filter(self, key: _FilterKey, given: dict[str, Any]) -> None:
        self._filters[key] = {"ColumnNames": [], **given, "VersionId": uuid.uuid4().hex}

    def _existing_filter(self, request: dict[str, Any]) -> _FilterKey:
        key = _filter_key(request)
        if key not in self._filters:
            raise ApiError("EntityNotFoundException", f"There is no data cells filter {'.'.join(key)}.")
        return key


def _kind_of(resource: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a resource is, such as `Table`, and its members."""
    if len(resource) != 1:
        raise ApiError("InvalidInputException", f"A request names one resource, this one {len(resource)}.")
    return next(iter(resource.items()))


def _tagged_by(resource: dict[str, Any]) -> list[_Tagged]:
    kind, members = _kind_of(resource)
    match kind:
        case "Database":
            return [(members["Name"], None, None)]
        case "Table":
            return [(members["DatabaseName"], members["Name"], None)]
        case "TableWithColumns" if "ColumnNames" in members:
            return [(members["DatabaseName"], members["Name"], column) for column in members["ColumnNames"]]
    raise ApiError("InvalidInputException", f"The bench has no tags for {kind} in this form: {members}.")


def _pairs(tags: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [{"TagKey": key, "TagValues": values} for key, values in tags.items()]


def _without_catalog(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without its catalog: callers may leave it out, and the bench has one."""
    kind, members = _kind_of(resource)
    return {kind: {key: value for key, value in members.items() if key not in ("CatalogId", "TableCatalogId")}}


def _grant_key(principal: dict[str, Any], resource: dict[str, Any]) -> str:
    return json.dumps([principal, resource], sort_keys=True)


def _filter_key(members: dict[str, Any]) -> _FilterKey:
    return members["DatabaseName"], members["TableName"], members["Name"]
