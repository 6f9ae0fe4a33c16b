"""Who asks: the user or the role behind an access key, as moto's IAM and STS know them."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import AssumedRoleAccessKey, CreateAccessKeyFailure, IAMUserAccessKey
from moto.iam.models import Policy
from moto.sts.models import sts_backends

from athena_bench.policies import Statement, statements_of

KEY = "bench"
"""The access key of the administrator, and of the engine."""

_PARTITION = "aws"


@dataclass(frozen=True)
class Caller:
    """Who makes a call.

    Attributes:
        principal: the ARN that Lake Formation grants to: that of a user, or of the role that was assumed.
        arn: the ARN that errors name.
        statements: of all policies that IAM has for it.
    """

    principal: str
    arn: str
    statements: tuple[Statement, ...] = ()


ADMINISTRATOR = Caller(f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root", f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root")
"""Whoever has a key that IAM did not give out: nothing is held back from it."""

CURRENT: ContextVar[Caller] = ContextVar("caller", default=ADMINISTRATOR)
"""Who makes the call that is being answered."""


def caller_of(access_key: str, session_token: str | None) -> Caller:
    """Return who has an access key.

    Args:
        access_key: as in the request's signature, which is not verified.
        session_token: of the request, which goes with the key of an assumed role.
    """
    if access_key == KEY:
        return ADMINISTRATOR
    headers = {"X-Amz-Security-Token": session_token} if session_token else {}
    key_type = AssumedRoleAccessKey if session_token else IAMUserAccessKey
    try:
        key = key_type(DEFAULT_ACCOUNT_ID, _PARTITION, access_key, headers)
    except CreateAccessKeyFailure:
        return ADMINISTRATOR
    principal = key.arn
    if session_token:
        roles = sts_backends[DEFAULT_ACCOUNT_ID][_PARTITION].assumed_roles
        principal = next(role.role_arn for role in roles if role.access_key_id == access_key)
    documents = map(_document, key.collect_policies())
    return Caller(principal, key.arn, tuple(one for document in documents for one in statements_of(document)))


def _document(policy: Any) -> str:  # noqa: ANN401 - moto has policies in three forms
    if isinstance(policy, Policy):
        return str(next(version.document for version in policy.versions if version.is_default))
    return str(policy if isinstance(policy, str) else policy["policy_document"])
