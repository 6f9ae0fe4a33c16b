"""The workgroups of Athena: moto's, with the change of one, which moto lacks."""

from __future__ import annotations

from typing import Any

from moto.athena.models import athena_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from athena_bench.server import ATHENA, ApiError, Server


def register(server: Server) -> None:
    """Add UpdateWorkGroup to a server, and refuse to read a workgroup that is not there."""

    def existing(name: str) -> Any:  # noqa: ANN401 - moto's own
        group = athena_backends[DEFAULT_ACCOUNT_ID][server.region].work_groups.get(name)
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

    server.register(ATHENA, {"GetWorkGroup": get, "UpdateWorkGroup": update})


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
