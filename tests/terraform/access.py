"""Who can read what, computed from the policies and grants of a plan.

IAM: a role can do what one of its policies allows on a resource, within its boundary, and none denies. Conditions are
taken as met where something is allowed, and as not met where it is denied, so that nobody is left out. Lake Formation:
a principal reads a column by a grant of SELECT on it, its table or all tables of its database.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_AWS_POLICIES = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, its lists made lists.

    Args:
        policy: the address of the resource that it is in.
        effect: Allow or Deny.
        actions: with their wildcards.
        resources: likewise; empty in a trust policy.
        principals: by type; None in the policy of an identity.
        conditional: whether it has a condition.
    """

    policy: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: Any
    conditional: bool

    def concerns(self, action: str, resource: str) -> bool:
        """Tell whether it is about an action on a resource."""
        return any(_fits(pattern.lower(), action.lower()) for pattern in self.actions) and any(
            _fits(pattern, resource) for pattern in self.resources
        )


def statements(policy: str, document: str) -> list[Statement]:
    """The statements of a policy's JSON.

    Raises:
        AssertionError: a statement says what is left out (NotAction ...), which is not computed here.
    """
    found = []
    for statement in _list(json.loads(document)["Statement"]):
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement), f"{policy}: {statement}"
        found.append(
            Statement(
                policy,
                statement["Effect"],
                tuple(_list(statement["Action"])),
                tuple(_list(statement.get("Resource", []))),
                statement.get("Principal"),
                "Condition" in statement,
            )
        )
    return found


class Access:
    """The policies and grants of a plan in which all of them are known.

    Args:
        resources: the values of each managed resource by its address.
    """

    def __init__(self, resources: Mapping[str, Mapping[str, Any]]) -> None:
        self._resources = resources

    def _of(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for address, values in self._resources.items():
            if address.startswith(f"{kind}."):
                yield address, values

    @cached_property
    def roles(self) -> dict[str, str]:
        """The ARN of each role by its name."""
        return {values["name"]: values["arn"] for _, values in self._of("aws_iam_role")}

    @cached_property
    def _policies(self) -> dict[str, list[Statement]]:
        return {values["arn"]: statements(address, values["policy"]) for address, values in self._of("aws_iam_policy")}

    @cached_property
    def of_roles(self) -> dict[str, list[Statement]]:
        """What each role's own policies say, by its name."""
        found: dict[str, list[Statement]] = defaultdict(list)
        for address, values in self._of("aws_iam_role_policy"):
            found[values["role"]] += statements(address, values["policy"])
        for _, values in self._of("aws_iam_role_policy_attachment"):
            if not values["policy_arn"].startswith(_AWS_POLICIES):
                found[values["role"]] += self._policies[values["policy_arn"]]
        return found

    @cached_property
    def policies_of_aws(self) -> dict[str, str]:
        """The policies that AWS wrote, by the role that has one."""
        return {
            values["role"]: values["policy_arn"].removeprefix(_AWS_POLICIES)
            for _, values in self._of("aws_iam_role_policy_attachment")
            if values["policy_arn"].startswith(_AWS_POLICIES)
        }

    @cached_property
    def boundaries(self) -> dict[str, str | None]:
        """The address of each role's boundary by the role's name."""
        addresses = {values["arn"]: address for address, values in self._of("aws_iam_policy")}
        return {
            values["name"]: addresses[values["permissions_boundary"]] if values["permissions_boundary"] else None
            for _, values in self._of("aws_iam_role")
        }

    def who_may(self, action: str, resource: str) -> set[str]:
        """The names of the roles that IAM lets do something."""
        return {role for role in self.roles if self._may(role, action, resource)}

    def _may(self, role: str, action: str, resource: str) -> bool:
        own = self.of_roles.get(role, [])
        boundary = self.boundaries[role]
        bounding = None if boundary is None else self._policies[self._resources[boundary]["arn"]]
        return _allow(own, action, resource) and (bounding is None or _allow(bounding, action, resource))

    def who_is_granted(self, database: str, table: str, column: str) -> set[str]:
        """The names of the roles, or the ARNs of other principals, that Lake Formation lets read a column."""
        names = {arn: name for name, arn in self.roles.items()}
        return {
            names.get(values["principal"], values["principal"])
            for _, values in self._of("aws_lakeformation_permissions")
            if {"SELECT", "ALL"} & set(values["permissions"]) and _covers(values, database, table, column)
        }


def _covers(grant: Mapping[str, Any], database: str, table: str, column: str) -> bool:
    if grant.get("lf_tag_policy"):
        return True
    for named in grant.get("table") or []:
        if named["database_name"] == database and (named.get("wildcard") or named.get("name") == table):
            return True
    for named in grant.get("table_with_columns") or []:
        if named["database_name"] == database and named["name"] == table:
            if named.get("wildcard"):
                return column not in (named.get("excluded_column_names") or [])
            return column in (named.get("column_names") or [])
    return False


def _allow(found: list[Statement], action: str, resource: str) -> bool:
    concerned = [statement for statement in found if statement.concerns(action, resource)]
    denied = any(statement.effect == "Deny" and not statement.conditional for statement in concerned)
    return not denied and any(statement.effect == "Allow" for statement in concerned)


def _fits(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
