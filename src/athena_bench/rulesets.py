"""The rulesets of Glue Data Quality, which moto lacks; none is evaluated."""

from __future__ import annotations

import time
from typing import Any

from athena_bench.server import GLUE, ApiError, Operation, Server


class Rulesets:
    """The operations on rulesets.

    Args:
        server: where they are registered, and whose moto keeps their tags.
    """

    def __init__(self, server: Server) -> None:
        self._moto = server
        self._rulesets: dict[str, dict[str, Any]] = {}
        operations: dict[str, Operation] = {
            "CreateDataQualityRuleset": self._create,
            "GetDataQualityRuleset": lambda request: self._existing(request["Name"]),
            "UpdateDataQualityRuleset": self._update,
            "DeleteDataQualityRuleset": self._delete,
            "ListDataQualityRulesets": self._list,
        }
        server.register(GLUE, operations, self._rulesets.clear)

    def _existing(self, name: str) -> dict[str, Any]:
        if name not in self._rulesets:
            raise ApiError("EntityNotFoundException", f"There is no data quality ruleset {name}.")
        return self._rulesets[name]

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["Name"]
        if name in self._rulesets:
            raise ApiError("AlreadyExistsException", f"The data quality ruleset {name} is there already.")
        now = time.time()
        kept = {key: value for key, value in request.items() if key not in ("Tags", "ClientToken")}
        self._rulesets[name] = {**kept, "CreatedOn": now, "LastModifiedOn": now}
        if request.get("Tags"):
            arn = f"arn:aws:glue:{self._moto.region}:123456789012:dataQualityRuleset/{name}"
            self._moto.forward(f"{GLUE}.TagResource", {"ResourceArn": arn, "TagsToAdd": request["Tags"]})
        return {"Name": name}

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        ruleset = self._existing(request["Name"])
        ruleset.update({key: request[key] for key in ("Description", "Ruleset") if key in request})
        ruleset["LastModifiedOn"] = time.time()
        return {key: ruleset.get(key, "") for key in ("Name", "Description", "Ruleset")}

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        del self._rulesets[self._existing(request["Name"])["Name"]]
        return {}

    def _list(self, _request: dict[str, Any]) -> dict[str, Any]:
        members = ("Name", "Description", "CreatedOn", "LastModifiedOn", "TargetTable")
        return {
            "Rulesets": [
                {member: ruleset[member] for member in members if member in ruleset}
                for ruleset in self._rulesets.values()
            ]
        }
