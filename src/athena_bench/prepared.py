"""Prepared statements: kept by workgroup and name, made through the API or by PREPARE."""

from __future__ import annotations

import time
from typing import Any

from athena_bench.api import invalid, page
from athena_bench.errors import QueryError
from athena_bench.server import ApiError, Operation
from athena_bench.statement import Reader


class PreparedStatements:
    """The prepared statements of all workgroups."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def operations(self) -> dict[str, Operation]:
        """The functions of the operations by name."""
        return {
            "CreatePreparedStatement": self._create,
            "GetPreparedStatement": self._get,
            "UpdatePreparedStatement": self._update,
            "DeletePreparedStatement": self._delete,
            "ListPreparedStatements": self._list,
            "BatchGetPreparedStatement": self._batch_get,
        }

    def reset(self) -> None:
        """Forget all."""
        self._kept.clear()

    def forget(self, workgroup: str) -> None:
        """Forget those of a workgroup."""
        for key in [key for key in self._kept if key[0] == workgroup]:
            del self._kept[key]

    # For PREPARE, EXECUTE and DEALLOCATE

    def prepare(self, workgroup: str, statement: Reader) -> None:
        """Keep what PREPARE name FROM query says, in place of what bore the name before.

        Raises:
            RefusedError: it is not written so.
        """
        statement.expect("PREPARE")
        name = statement.identifier()
        statement.expect("FROM")
        self._keep(workgroup, name, statement.rest(), "")

    def execute(self, statement: Reader) -> tuple[str, tuple[str, ...]]:
        """Return the name and the parameters of EXECUTE name [USING a, b].

        Raises:
            RefusedError: it is not written so.
        """
        statement.expect("EXECUTE")
        name = statement.identifier()
        parameters = []
        if not statement.done:
            statement.expect("USING")
            while not statement.done:
                parameters.append(statement.until(","))
                statement.accept(",")
        return name, tuple(parameters)

    def deallocate(self, workgroup: str, statement: Reader) -> None:
        """Forget what DEALLOCATE PREPARE names.

        Raises:
            RefusedError: it is not written so.
            QueryError: there is no such statement.
        """
        statement.expect("DEALLOCATE", "PREPARE")
        name = statement.identifier()
        statement.expect_end()
        self.query_of(workgroup, name)
        del self._kept[workgroup, name]

    def query_of(self, workgroup: str, name: str) -> str:
        """Return the text of a statement.

        Raises:
            QueryError: there is none of that name.
        """
        if (workgroup, name) not in self._kept:
            raise QueryError("NOT_FOUND", "USER_ERROR", f"Prepared statement not found: {name}")
        return str(self._kept[workgroup, name]["QueryStatement"])

    # Operations

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        workgroup, name = _key(request)
        if (workgroup, name) in self._kept:
            raise invalid(f"The prepared statement {name} already exists in WorkGroup {workgroup}")
        self._keep(workgroup, name, request["QueryStatement"], request.get("Description", ""))
        return {}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"PreparedStatement": self._existing(*_key(request))}

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        workgroup, name = _key(request)
        description = request.get("Description", self._existing(workgroup, name)["Description"])
        self._keep(workgroup, name, request["QueryStatement"], description)
        return {}

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        self._existing(*_key(request))
        del self._kept[_key(request)]
        return {}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        names = sorted(name for workgroup, name in list(self._kept) if workgroup == request["WorkGroup"])
        kept = [self._kept[request["WorkGroup"], name] for name in names]
        listed = [{member: one[member] for member in ("StatementName", "LastModifiedTime")} for one in kept]
        return page("PreparedStatements", listed, request)

    def _batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        keys = [(request["WorkGroup"], name) for name in request["PreparedStatementNames"]]
        return {
            "PreparedStatements": [self._kept[key] for key in keys if key in self._kept],
            "UnprocessedPreparedStatementNames": [
                {"StatementName": name, "ErrorCode": "STATEMENT_NOT_FOUND", "ErrorMessage": f"{name} was not found"}
                for workgroup, name in keys
                if (workgroup, name) not in self._kept
            ],
        }

    def _existing(self, workgroup: str, name: str) -> dict[str, Any]:
        if (workgroup, name) not in self._kept:
            raise ApiError(
                "ResourceNotFoundException",
                f"PreparedStatement {name} was not found in WorkGroup {workgroup}",
                ResourceName=name,
            )
        return self._kept[workgroup, name]

    def _keep(self, workgroup: str, name: str, query: str, description: str) -> None:
        self._kept[workgroup, name] = {
            "StatementName": name,
            "QueryStatement": query,
            "WorkGroupName": workgroup,
            "Description": description,
            "LastModifiedTime": time.time(),
        }


def _key(request: dict[str, Any]) -> tuple[str, str]:
    return request["WorkGroup"], request["StatementName"]
