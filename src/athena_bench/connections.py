"""The connections of Glue: moto's, with all that was given, change and removal."""

from __future__ import annotations

from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends

from athena_bench.server import GLUE, Server


def register(server: Server) -> None:
    """Add UpdateConnection and DeleteConnection to a server, and what GetConnection leaves out, such as the type."""

    def kept() -> dict[str, Any]:
        connections: dict[str, Any] = glue_backends[DEFAULT_ACCOUNT_ID][server.region].connections
        return connections

    def get(request: dict[str, Any]) -> dict[str, Any]:
        connection = server.forward(f"{GLUE}.GetConnection", request)["Connection"]
        return {"Connection": {**kept()[request["Name"]].connection_input, **connection}}

    def delete(request: dict[str, Any]) -> dict[str, Any]:
        server.forward(f"{GLUE}.GetConnection", {"Name": request["ConnectionName"]})
        del kept()[request["ConnectionName"]]
        return {}

    def update(request: dict[str, Any]) -> dict[str, Any]:
        delete({"ConnectionName": request["Name"]})
        server.forward(f"{GLUE}.CreateConnection", {"ConnectionInput": request["ConnectionInput"]})
        return {}

    server.register(GLUE, {"GetConnection": get, "UpdateConnection": update, "DeleteConnection": delete})
