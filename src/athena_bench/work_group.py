"""The workgroups of Athena and the queries named in them: moto's, with what moto lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.athena.models import athena_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from athena_bench.server import ATHENA, ApiError, Server


def register(server: Server, deleted: Callable[[str], None] = lambda name: None) -> None:
    """Add to a server what moto lacks of workgroups and named queries, and refuse to read what is not there.

    A workgroup that was asked, or has named queries, is deleted only if the request says so: what became of its
    queries is its content.

    Args:
        server: where the operations are registered.
        deleted: called with the name of a workgroup that is gone.
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
        answer = server.forward(f"{ATHENA}.DeleteWorkGroup", request)
        deleted(name)
        return answer

    def named(request: dict[str, Any]) -> str:
        if request["NamedQueryId"] not in backend().named_queries:
            raise ApiError("InvalidRequestException", f"NamedQuery {request['NamedQueryId']} was not found.")
        return str(request["NamedQueryId"])

    def get_query(request: dict[str, Any]) -> dict[str, Any]:
        named(request)
        return server.forward(f"{ATHENA}.GetNamedQuery", request)

    def update_query(request: dict[str, Any]) -> dict[str, Any]:
        query = backend().named_queries[named(request)]
        query.name, query.query_string = request["Name"], request["QueryString"]
        query.description = request.get("Description", query.description)
        return {}

    def batch_get_query(request: dict[str, Any]) -> dict[str, Any]:
        known = [id_ for id_ in request["NamedQueryIds"] if id_ in backend().named_queries]
        return {
            "NamedQueries": [get_query({"NamedQueryId": id_})["NamedQuery"] for id_ in known],
            "UnprocessedNamedQueryIds": [
                {"NamedQueryId": id_, "ErrorCode": "INTERNAL_ERROR", "ErrorMessage": f"{id_} was not found"}
                for id_ in request["NamedQueryIds"]
                if id_ not in known
            ],
        }

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
            "UpdateNamedQuery": update_query,
            "BatchGetNamedQuery": batch_get_query,
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
