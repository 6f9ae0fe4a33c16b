"""What moto lacks, or does otherwise than AWS, where the stack is applied on the bench.

`not_on_the_emulator.yml` names the rest: what is not made there at all, and what is made but not told back.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.budgets.models import budgets_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dms.models import dms_backends
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.sqs.models import Queue
from werkzeug.test import run_wsgi_app

from athena_bench.server import ApiError, Operation, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BUDGETS = "AWSBudgetServiceGateway"
DMS = "AmazonDMSv20160101"
KINESIS = "Kinesis_20131202"
SAGEMAKER = "SageMaker"


@contextmanager
def mended(server: Server) -> Iterator[None]:
    """Mend moto behind a server while the context lasts; operations stay registered.

    IAM's managed policies are there only with MOTO_IAM_LOAD_MANAGED_POLICIES=true in this process's environment.
    """
    Budgets(server)
    Dms(server)
    _register_notebooks(server)
    _register_streams(server)
    with ExitStack() as patches:
        patches.enter_context(patch.object(Server, "__call__", _answered_once(Server.__call__)))
        patches.enter_context(patch.object(FakeBucket, "get_permission", _permission))
        logging_allowed = FakeBucket._log_permissions_enabled_policy
        patches.enter_context(
            patch.object(
                FakeBucket,
                "_log_permissions_enabled_policy",
                staticmethod(
                    lambda target_bucket, target_prefix: logging_allowed(_for_logging(target_bucket), target_prefix)
                ),
            )
        )
        attributes = vars(Queue)["attributes"].fget
        patches.enter_context(
            patch.object(Queue, "attributes", property(lambda queue: _compact_policy(attributes(queue))))
        )
        yield


# All services: a request that is sent again

_MOST_KEPT = 512
"""Answers, which are more than there are requests under way at once."""


def _answered_once(answer: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Answer a request that comes again, as its answer was lost, as the first time.

    An SDK names each call by `amz-sdk-invocation-id`, the same in all its attempts. Of many creations AWS knows by
    itself that they were made for the caller who asks again; moto says that the thing is there already.
    """
    kept: OrderedDict[str, tuple[str, list[tuple[str, str]], bytes]] = OrderedDict()
    under_way: dict[str, threading.Lock] = {}
    lock = threading.Lock()

    def application(server: Server) -> WSGIApplication:
        return lambda environ, start_response: answer(server, environ, start_response)

    def answered(server: Server, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if invocation is None:
            return answer(server, environ, start_response)
        with lock:
            of_this_call = under_way.setdefault(invocation, threading.Lock())
        with of_this_call:
            if invocation not in kept or kept[invocation][0].startswith("5"):
                body, status, headers = run_wsgi_app(application(server), environ, buffered=True)
                with lock:
                    kept[invocation] = status, list(headers), b"".join(body)
                    while len(kept) > _MOST_KEPT:
                        under_way.pop(kept.popitem(last=False)[0], None)
            again = kept[invocation]
        start_response(again[0], again[1])
        return [again[2]]

    return answered


# S3: a policy's conditions


def _permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What a bucket's policy says of the account's own caller, who comes over TLS.

    moto takes a statement whose condition does not hold for a refusal, and knows no caller to hold it against. So
    statements with a condition are left out here: those of this stack concern others.
    """
    statements = [statement for statement in _statements(bucket) if "Condition" not in statement]
    return _asked(statements, action, resource)


def _asked(statements: list[dict[str, Any]], action: str, resource: str) -> PermissionResult:
    if not statements:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": statements})).is_action_permitted(
        action, resource
    )


def _statements(bucket: FakeBucket) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bucket.policy.decode())["Statement"] if bucket.policy else []
    return found


def _for_logging(bucket: FakeBucket) -> Any:
    """A bucket without the statements for everybody, whose principal is a text, which moto does not foresee."""
    statements = [statement for statement in _statements(bucket) if isinstance(statement.get("Principal"), dict)]
    policy = json.dumps({"Statement": statements}).encode()
    return SimpleNamespace(policy=policy, partition=bucket.partition, name=bucket.name)


# Budgets: subscribers and tags


class Budgets:
    """Who is told, and tags."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tags: dict[str, list[dict[str, str]]] = {}
        operations: dict[str, Operation] = {
            "CreateBudget": self._create,
            "DescribeSubscribersForNotification": self._subscribers,
            "ListTagsForResource": lambda request: {"ResourceTags": self._tags.get(request["ResourceARN"], [])},
        }
        server.register(BUDGETS, operations, self._tags.clear, signing_name="budgets")

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:budgets::{request['AccountId']}:budget/{request['Budget']['BudgetName']}"
        self._tags[arn] = request.get("ResourceTags", [])
        return self._server.forward(f"{BUDGETS}.CreateBudget", request)

    def _subscribers(self, request: dict[str, Any]) -> dict[str, Any]:
        budget = budgets_backends[DEFAULT_ACCOUNT_ID]["aws"].budgets[request["AccountId"]][request["BudgetName"]]
        asked = request["Notification"]
        for notification in budget.notifications:
            if all(notification.details.get(member) == asked[member] for member in asked):
                return {"Subscribers": notification.subscribers}
        raise ApiError("NotFoundException", f"The budget {request['BudgetName']} has no such notification.")


# DMS: times, subnets, tags, and the change of an endpoint


class Dms:
    """Times as numbers, the subnets that were given, tags of all, and endpoints that can be changed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._subnets: dict[str, list[str]] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}
        operations: dict[str, Operation] = {
            "ModifyEndpoint": self._modify_endpoint,
            "CreateReplicationSubnetGroup": self._create_subnet_group,
            "DescribeReplicationSubnetGroups": self._subnet_groups,
            "ListTagsForResource": self._list_tags,
        }
        for operation in ("Create", "Delete"):
            operations[f"{operation}ReplicationInstance"] = self._with_times(f"{operation}ReplicationInstance")
        operations["DescribeReplicationInstances"] = self._with_times("DescribeReplicationInstances")
        server.register(DMS, operations, self._clear, signing_name="dms")

    def _clear(self) -> None:
        self._subnets.clear()
        self._tags.clear()

    def _ask(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        return self._server.forward(f"{DMS}.{name}", request)

    def _with_times(self, name: str) -> Operation:
        return lambda request: _with_times(self._ask(name, request))

    def _create_subnet_group(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask("CreateReplicationSubnetGroup", request)
        name = request["ReplicationSubnetGroupIdentifier"]
        self._subnets[name] = request["SubnetIds"]
        self._tags[f"subgrp:{name}"] = request.get("Tags", [])
        return {"ReplicationSubnetGroup": self._with_subnets(answer["ReplicationSubnetGroup"])}

    def _subnet_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        groups = self._ask("DescribeReplicationSubnetGroups", request)["ReplicationSubnetGroups"]
        return {"ReplicationSubnetGroups": [self._with_subnets(group) for group in groups]}

    def _with_subnets(self, group: dict[str, Any]) -> dict[str, Any]:
        subnets = self._subnets[group["ReplicationSubnetGroupIdentifier"]]
        return {**group, "Subnets": [{"SubnetIdentifier": subnet, "SubnetStatus": "Active"} for subnet in subnets]}

    def _list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._tags.get(":".join(request["ResourceArn"].split(":")[-2:]))
        return self._ask("ListTagsForResource", request) if kept is None else {"TagList": kept}

    def _modify_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        endpoints = dms_backends[DEFAULT_ACCOUNT_ID][self._server.region].endpoints.values()
        (endpoint,) = (found for found in endpoints if found.endpoint_arn == request["EndpointArn"])
        endpoint.s3_settings = {**(endpoint.s3_settings or {}), **request.get("S3Settings", {})}
        return {"Endpoint": endpoint.to_dict()}


def _with_times(members: Any) -> Any:
    """Members with each time (`...Time`) as JSON APIs give it: seconds since 1970 in place of ISO 8601."""
    if isinstance(members, list):
        return [_with_times(member) for member in members]
    if not isinstance(members, dict):
        return members
    return {
        name: datetime.fromisoformat(value).timestamp()
        if name.endswith("Time") and isinstance(value, str)
        else _with_times(value)
        for name, value in members.items()
    }


# SQS: a policy without blanks


def _compact_policy(found: dict[str, Any]) -> dict[str, Any]:
    """Attributes with the redrive policy as it was set; moto puts blanks in, which Terraform takes for a change."""
    if policy := found.get("RedrivePolicy"):
        found["RedrivePolicy"] = json.dumps(json.loads(policy), separators=(",", ":"))
    return found


# SageMaker: tags of lifecycle configurations


def _register_notebooks(server: Server) -> None:
    """Keep the tags of lifecycle configurations, which moto does not."""
    tags: dict[str, list[dict[str, str]]] = {}

    def create(request: dict[str, Any]) -> dict[str, Any]:
        answer = server.forward(f"{SAGEMAKER}.CreateNotebookInstanceLifecycleConfig", request)
        tags[answer["NotebookInstanceLifecycleConfigArn"]] = request.get("Tags", [])
        return answer

    def list_tags(request: dict[str, Any]) -> dict[str, Any]:
        kept = tags.get(request["ResourceArn"])
        return server.forward(f"{SAGEMAKER}.ListTags", request) if kept is None else {"Tags": kept}

    operations: dict[str, Operation] = {"CreateNotebookInstanceLifecycleConfig": create, "ListTags": list_tags}
    server.register(SAGEMAKER, operations, tags.clear, signing_name="sagemaker")


# Kinesis: tags of a new stream


def _register_streams(server: Server) -> None:
    """Keep the tags that a stream is made with; moto keeps those that are added later only."""

    def create(request: dict[str, Any]) -> dict[str, Any]:
        tags = request.pop("Tags", {})
        server.forward(f"{KINESIS}.CreateStream", request)
        if tags:
            server.forward(f"{KINESIS}.AddTagsToStream", {"StreamName": request["StreamName"], "Tags": tags})
        return {}

    server.register(KINESIS, {"CreateStream": create}, signing_name="kinesis")
