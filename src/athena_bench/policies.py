"""IAM: what the policies of a caller permit, and which action on which resource a call is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID


@dataclass(frozen=True)
class Statement:
    """A statement of a policy. Its Condition is not looked at: an Allow counts, a Deny with one does not.

    Attributes:
        allows: whether it allows or denies.
        actions: patterns of actions, such as `glue:Get*`; all but these, where `not_actions`.
        resources: patterns of ARNs; all but these, where `not_resources`.
    """

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_actions: bool = False
    not_resources: bool = False

    def concerns(self, action: str, resource: str) -> bool:
        """Tell whether it is about an action on a resource."""
        of_action = any(_pattern(one.lower()).fullmatch(action.lower()) for one in self.actions)
        of_resource = any(_pattern(one).fullmatch(resource) for one in self.resources)
        return of_action != self.not_actions and of_resource != self.not_resources


@lru_cache(1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", text)))


@lru_cache(256)
def statements_of(document: str) -> tuple[Statement, ...]:
    """Return the statements of a policy's document, in JSON."""
    return tuple(_statements(json.loads(document)))


def _statements(policy: dict[str, Any]) -> Iterator[Statement]:
    for given in _listed(policy["Statement"]):
        allows = given["Effect"] == "Allow"
        if allows or "Condition" not in given:
            yield Statement(
                allows,
                tuple(_listed(given.get("Action", given.get("NotAction", ())))),
                tuple(_listed(given.get("Resource", given.get("NotResource", "*")))),
                "NotAction" in given,
                "NotResource" in given,
            )


def _listed(value: Any) -> Any:  # noqa: ANN401 - one or several of anything
    return value if isinstance(value, (list, tuple)) else (value,)


def permits(statements: Iterable[Statement], action: str, resource: str) -> bool:
    """Tell whether statements permit an action: one allows it, and none denies it."""
    found = {statement.allows for statement in statements if statement.concerns(action, resource)}
    return found == {True}


def missing(statements: tuple[Statement, ...], arn: str, action: str, resources: Iterable[str]) -> str | None:
    """Return IAM's sentence on the first of the resources on which an action is not permitted; None where all are."""
    for resource in resources:
        if not permits(statements, action, resource):
            return (
                f"User: {arn} is not authorized to perform: {action} on resource: {resource} "
                f"because no identity-based policy allows the {action} action"
            )
    return None


_OF_OBJECTS = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
_OF_BUCKETS = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}


def action_of(environ: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the action of S3 that a request is, and its ARN; None for other services' and for all buckets at once.

    Args:
        environ: of WSGI; buckets are in its path.
    """
    scope = environ.get("HTTP_AUTHORIZATION", "")
    bucket, _, key = environ["PATH_INFO"].strip("/").partition("/")
    if "/s3/aws4_request" not in scope or not bucket:
        return None
    method, arguments = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    if key:
        return f"s3:{_OF_OBJECTS[method]}", object_arn(f"s3://{bucket}/{key}")
    if method == "POST":  # which deletes several objects
        return "s3:DeleteObject", object_arn(f"s3://{bucket}/*")
    action = "GetBucketLocation" if arguments.startswith("location") else _OF_BUCKETS[method]
    return f"s3:{action}", object_arn(f"s3://{bucket}")


# ARNs


def work_group_arn(region: str, name: str) -> str:
    """Return the ARN of a workgroup."""
    return f"arn:aws:athena:{region}:{DEFAULT_ACCOUNT_ID}:workgroup/{name}"


def catalog_arns(region: str, database: str | None = None, table: str | None = None) -> list[str]:
    """Return the ARNs that Glue wants an action on a database or a table to be permitted on: its parents' too."""
    head = f"arn:aws:glue:{region}:{DEFAULT_ACCOUNT_ID}"
    arns = [f"{head}:catalog"]
    if database:
        arns.append(f"{head}:database/{database}")
    if database and table:
        arns.append(f"{head}:table/{database}/{table}")
    return arns


def object_arn(location: str) -> str:
    """Return the ARN of an object, or of a pattern of objects: `s3://bucket/folder/*`."""
    return f"arn:aws:s3:::{location.removeprefix('s3://')}"
