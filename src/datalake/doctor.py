"""Whether the lake has what it needs, here and in its account: what is missing, and how to mend it.

What is needed is declared in `datalake.needs`, a check each. This module looks at them in their order; a check whose
prerequisite does not hold waits, so that one fault is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_REFUSED = (
    "AccessDenied",
    "AccessDeniedException",
    "AccessDeniedFault",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
    "403",
)
"""How services name a request that the caller has no right to."""

_S3_RIGHTS = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
}
"""The rights of operations whose names they do not bear.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""


class State(StrEnum):
    """How a check ended."""

    ok = "ok"
    warning = "warning"
    missing = "missing"
    wrong = "wrong"
    unchecked = "not checked"
    waiting = "waiting"


class When(StrEnum):
    """When a check has something to look at."""

    always = "always"
    before = "before the stack is applied"
    deployed = "once the stack is applied"


@dataclass(frozen=True)
class Site:
    """What is looked at.

    Attributes:
        project: the dbt project's folder.
        variables: the environment's variables.
        client: makes boto3's client of a service.
    """

    project: Path
    variables: Mapping[str, str]
    client: Callable[[str], Any]

    @property
    def environment(self) -> str:
        """Which lake it is, dev, ci or prod, or nothing: `DATALAKE_TARGET`, which the stack calls environment."""
        return self.named("DATALAKE_TARGET", "")

    @property
    def bucket(self) -> str:
        """The lake's bucket, or nothing: `DATALAKE_BUCKET`."""
        return self.named("DATALAKE_BUCKET", "")

    @property
    def region(self) -> str:
        """The region: `AWS_REGION`, by default us-east-1."""
        return self.named("AWS_REGION", "us-east-1")

    def named(self, variable: str, otherwise: str) -> str:
        """Return what a variable says, or the default where it is missing or empty."""
        return self.variables.get(variable) or otherwise


@dataclass(frozen=True)
class Result:
    """What a look found."""

    state: State
    detail: str


@dataclass(frozen=True)
class Check:
    """Something that the lake needs.

    Attributes:
        name: its name.
        needs: what has to hold, in a sentence.
        remedy: how to mend it, in a sentence.
        look: looks at it, and yields what it found; nothing where all is well.
        actions: the rights that the look takes.
        after: the checks that must hold before.
        when: when it has something to look at.
    """

    name: str
    needs: str
    remedy: str
    look: Callable[[Site], Iterator[Result]]
    actions: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    when: When = When.deployed


@dataclass(frozen=True)
class Finding:
    """How a check ended; one with several faults has a finding for each."""

    check: Check
    state: State
    detail: str

    @property
    def is_fault(self) -> bool:
        """Whether something is missing or wrong, or could not be looked at."""
        return self.state in (State.missing, State.wrong, State.unchecked)

    def as_dict(self) -> dict[str, str]:
        """Return the finding as JSON holds it."""
        return {
            "check": self.check.name,
            "state": self.state.value,
            "needs": self.check.needs,
            "detail": self.detail,
            "remedy": self.check.remedy,
        }


def fine(detail: str) -> Result:
    """Return that all is well, with what was seen."""
    return Result(State.ok, detail)


def warning(detail: str) -> Result:
    """Return what keeps nothing from working, and may surprise."""
    return Result(State.warning, detail)


def missing(detail: str) -> Result:
    """Return that something is not there."""
    return Result(State.missing, detail)


def wrong(detail: str) -> Result:
    """Return that something is there, but not as it must be."""
    return Result(State.wrong, detail)


def at_site(project: Path, variables: Mapping[str, str], client: Callable[[str], Any]) -> Site:
    """Return a site whose clients are made once each.

    Args:
        project: the dbt project's folder.
        variables: the environment's variables.
        client: makes boto3's client of a service.
    """
    return Site(project, variables, cache(client))


def examine(checks: Iterable[Check], site: Site) -> tuple[Finding, ...]:
    """Return how each check ended, in their order.

    Args:
        checks: each after those that it waits for.
        site: what is looked at.
    """
    findings: list[Finding] = []
    broken: set[str] = set()
    for check in checks:
        if waits_for := [name for name in check.after if name in broken]:
            found = [Finding(check, State.waiting, f"It waits for {waits_for[0]}.")]
        else:
            found = _look(check, site)
        if any(finding.is_fault or finding.state is State.waiting for finding in found):
            broken.add(check.name)
        findings += found
    return tuple(findings)


def _look(check: Check, site: Site) -> list[Finding]:
    try:
        results = list(check.look(site))
    except ClientError as error:
        results = [Result(State.unchecked, _refusal(check, error))]
    except BotoCoreError as error:
        results = [Result(State.unchecked, f"AWS could not be asked: {error}")]
    return [Finding(check, result.state, result.detail) for result in results or [fine("")]]


def _refusal(check: Check, error: ClientError) -> str:
    """Return why a request failed: the right that the caller lacks, where that is it."""
    told = error.response.get("Error", {})
    if str(told.get("Code")) not in _REFUSED:
        return f"AWS could not answer: {error}"
    if "Lake Formation" in str(told.get("Message")):
        return f"Lake Formation does not let you look: {told.get('Message')}"
    return f"You lack the right {right(check, error.operation_name)}."


def right(check: Check, operation: str) -> str:
    """Return the right, as IAM names it, that an operation of a check takes."""
    if operation in _S3_RIGHTS:
        return _S3_RIGHTS[operation]
    return next((action for action in check.actions if action.partition(":")[2] == operation), operation)
