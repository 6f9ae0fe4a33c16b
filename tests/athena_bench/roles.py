"""Roles that ask the bench: their policies are IAM's, their keys STS's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import boto3

from athena_bench.bench import Bench

ANALYST = {
    "athena:*": "*",
    "glue:Get*": "*",
    "lakeformation:GetDataAccess": "*",
    "s3:*": ["arn:aws:s3:::athena-bench/results/*", "arn:aws:s3:::athena-bench"],
}
PIPELINE = {
    "athena:*": "*",
    "glue:*": "*",
    "lakeformation:GetDataAccess": "*",
    "s3:*": ["arn:aws:s3:::athena-bench", "arn:aws:s3:::athena-bench/*"],
}


def policy(*statements: dict[str, Any]) -> str:
    """The document of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def assumed(bench: Bench, arn: str) -> Any:
    """A session of boto3 with the keys of a role."""
    given = bench.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=bench.region
    )


class Role:
    """A role of IAM that somebody assumed.

    Args:
        bench: which it asks.
        name: its name; a role that is there already is made anew.
        allowed: the resources of each action.
    """

    def __init__(self, bench: Bench, name: str, allowed: dict[str, Any]) -> None:
        self._bench = bench
        iam = bench.client("iam")
        trust = policy({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
        statements = [{"Effect": "Allow", "Action": one, "Resource": where} for one, where in allowed.items()]
        if name in [role["RoleName"] for role in iam.list_roles()["Roles"]]:
            iam.delete_role_policy(RoleName=name, PolicyName="all")
            iam.delete_role(RoleName=name)
        self.arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy(*statements))
        self._session = assumed(bench, self.arn)

    @property
    def buckets(self) -> Sequence[str]:
        """Those of the bench."""
        return self._bench.buckets

    @property
    def principal(self) -> dict[str, str]:
        """Itself, as Lake Formation names it."""
        return {"DataLakePrincipalIdentifier": self.arn}

    def client(self, service: str) -> Any:
        """A client with its keys."""
        return self._session.client(service, endpoint_url=self._bench.url)

    def grant(self, resource: dict[str, Any], *permissions: str) -> None:
        """Let Lake Formation grant it something."""
        self._bench.client("lakeformation").grant_permissions(
            Principal=self.principal, Resource=resource, Permissions=list(permissions)
        )
