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
"""The access key of the administrator."""

ENGINE_KEY = "athena-bench-engine"
"""The access key of the engine, which what it runs for a caller is held to otherwise (`rights.py`)."""

_PARTITION = "aws"


@dataclass(frozen=True)
class Caller:
    """Who makes a call.

    Attributes:
        principal: the ARN that Lake Formation grants to: that of a user, or of the role that was assumed.
        arn: the ARN that errors name.
        statements: of all policies that IAM has for it.
        is_held: whether it is held to these, and to what Lake Formation grants.
    """

    principal: str
    arn: str
    statements: tuple[Statement, ...] = ()
    is_held: bool = True


_ROOT = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root"
ENGINE = Caller(_ROOT, f"{_ROOT}/engine", is_held=False)
ADMINISTRATOR = Caller(_ROOT, _ROOT, is_held=False)
"""Whoever has a key that IAM did not give out: nothing is held back from it."""

CURRENT: ContextVar[Caller] = ContextVar("caller", default=ADMINISTRATOR)
"""Who makes the call that is being answered."""


def caller_of(access_key: str, session_token: str | None) -> Caller:
    """Return who has an access key.

    Args:
        access_key: as in the request's signature, which is not verified.
        session_token: of the request, which goes with the key of an assumed role.
    """
    if access_key in (KEY, ENGINE_KEY):
        return ADMINISTRATOR if access_key == KEY else ENGINE
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
