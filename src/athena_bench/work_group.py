"""The workgroups of Athena and the queries named in them: moto's, with what moto lacks."""

from __future__ import annotations

from typing import Any

from moto.athena.models import athena_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from athena_bench.server import ATHENA, ApiError, Server


def register(server: Server) -> None:
    """Add UpdateWorkGroup and DeleteNamedQuery to a server, and refuse to read what is not there.

    A workgroup that was asked, or has named queries, is deleted only if the request says so: what became of its
    queries is its content.
    """

    def backend() -> Any:  # noqa: ANN401 - moto's own
        return athena_backends[DEFAULT_ACCOUNT_ID][server.region]

    def existing(name: str) -> Any:  # noqa: ANN401 - moto's own
        group = backend().work_groups.get(name)
        if group is None:
            raise ApiError("InvalidRequestException", f"WorkGroup {name} is not found.")
        return group

    def get(request: dict[str, Any]) -> dict[str, Any]:
        existing(request["WorkGroup"])
        return server.forward(f"{ATHENA}.GetWorkGroup", request)

    def update(request: dict[str, Any]) -> dict[str, Any]:
        group = existing(request["WorkGroup"])
        group.configuration = _updated(group.configuration, request.get("ConfigurationUpdates", {}))
        group.description = request.get("Description", group.description)
        group.state = request.get("State", group.state)
        return {}

    def delete(request: dict[str, Any]) -> dict[str, Any]:
        name = request["WorkGroup"]
        existing(name)
        is_named = any(query.workgroup.name == name for query in backend().named_queries.values())
        is_asked = server.call(f"{ATHENA}.ListQueryExecutions", {"WorkGroup": name})["QueryExecutionIds"]
        if (is_named or is_asked) and not request.get("RecursiveDeleteOption"):
            raise ApiError("InvalidRequestException", f"WorkGroup {name} is not empty")
        return server.forward(f"{ATHENA}.DeleteWorkGroup", request)

    def named(request: dict[str, Any]) -> str:
        if request["NamedQueryId"] not in backend().named_queries:
            raise ApiError("InvalidRequestException", f"NamedQuery {request['NamedQueryId']} was not found.")
        return str(request["NamedQueryId"])

    def get_query(request: dict[str, Any]) -> dict[str, Any]:
        named(request)
        return server.forward(f"{ATHENA}.GetNamedQuery", request)

    def delete_query(request: dict[str, Any]) -> dict[str, Any]:
        del backend().named_queries[named(request)]
        return {}

    server.register(
        ATHENA,
        {
            "GetWorkGroup": get,
            "UpdateWorkGroup": update,
            "DeleteWorkGroup": delete,
            "GetNamedQuery": get_query,
            "DeleteNamedQuery": delete_query,
        },
    )


def _updated(configuration: dict[str, Any], updates: dict[str, Any]) -> dict[str, Any]:
    """A configuration after updates, of which `RemoveX` takes X away and `XUpdates` holds those of X."""
    updated = dict(configuration)
    for key, value in updates.items():
        if key.startswith("Remove"):
            if value:
                updated.pop(key.removeprefix("Remove"), None)
        elif key.endswith("Updates"):
            part = key.removesuffix("Updates")
            updated[part] = _updated(updated.get(part, {}), value)
        else:
            updated[key] = value
    return updated
