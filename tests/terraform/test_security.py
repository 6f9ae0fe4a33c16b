"""The stack holds its data encrypted, closed to the public, over TLS, and by roles with bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from access import Access, Statement, statements
from stack import Applied

# Data services, of which no policy may allow an action by a wildcard.
DATA_SERVICES = ("athena", "dynamodb", "firehose", "glue", "kinesis", "kms", "lakeformation", "s3", "secretsmanager")
# What is about settings, not data.
HARMLESS = {"s3:GetBucket*"}
READS_DATA = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "dynamodb:GetItem", "kinesis:GetRecords", "kms:Decrypt"),
    *("secretsmanager:GetSecretValue", "athena:GetQueryResults", "athena:StartQueryExecution"),
)

# The argument that names the key, or says that there is one, by type.
ENCRYPTED = {
    "aws_appflow_flow": "kms_arn",
    "aws_cloudwatch_log_group": "kms_key_id",
    "aws_dms_endpoint": "kms_key_arn",
    "aws_dms_replication_instance": "kms_key_arn",
    "aws_dms_s3_endpoint": "kms_key_arn",
    "aws_kinesis_stream": "kms_key_id",
    "aws_lambda_function": "kms_key_arn",
    "aws_redshiftserverless_namespace": "kms_key_id",
    "aws_s3_object": "kms_key_id",
    "aws_sagemaker_notebook_instance": "kms_key_id",
    "aws_secretsmanager_secret": "kms_key_id",
    "aws_sns_topic": "kms_master_key_id",
    "aws_sqs_queue": "kms_master_key_id",
}
BUCKETS = ("lake", "logs", "results")


@pytest.fixture(scope="module")
def resources(applied: Applied) -> dict[str, dict[str, Any]]:
    return applied.built.resources


@pytest.fixture(scope="module")
def access(resources: dict[str, dict[str, Any]]) -> Access:
    return Access(resources)


def of(resources: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    found = {address: values for address, values in resources.items() if address.startswith(f"{kind}.")}
    assert found, f"The stack has no {kind}."
    return found


# Encryption


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_it_is_encrypted_by_the_key_of_the_lake(resources: dict[str, dict[str, Any]], kind: str) -> None:
    key = resources["aws_kms_key.lake"]
    for address, values in of(resources, kind).items():
        assert values[ENCRYPTED[kind]] in (key["arn"], key["key_id"]), address


@pytest.mark.parametrize("bucket", ["lake", "results"])
def test_bucket_is_encrypted_by_the_key_of_the_lake(resources: dict[str, dict[str, Any]], bucket: str) -> None:
    (rule,) = resources[f"aws_s3_bucket_server_side_encryption_configuration.{bucket}"]["rule"]
    (default,) = rule["apply_server_side_encryption_by_default"]
    assert default == {"sse_algorithm": "aws:kms", "kms_master_key_id": resources["aws_kms_key.lake"]["arn"]}


def test_key_of_the_lake_is_renewed(resources: dict[str, dict[str, Any]]) -> None:
    assert resources["aws_kms_key.lake"]["enable_key_rotation"]


def test_glue_encrypts_what_jobs_write_and_log(resources: dict[str, dict[str, Any]]) -> None:
    (settings,) = resources["aws_glue_security_configuration.lake"]["encryption_configuration"]
    modes = {
        name: next(value for key, value in part[0].items() if key.endswith("_mode")) for name, part in settings.items()
    }
    assert modes == {
        "cloudwatch_encryption": "SSE-KMS",
        "job_bookmarks_encryption": "CSE-KMS",
        "s3_encryption": "SSE-KMS",
    }
    users = of(resources, "aws_glue_job") | of(resources, "aws_glue_crawler")
    assert {values["security_configuration"] for values in users.values()} == {"datalake-ci"}


# The public


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_is_closed_to_the_public(resources: dict[str, dict[str, Any]], bucket: str) -> None:
    block = resources[f"aws_s3_bucket_public_access_block.{bucket}"]
    for setting in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
        assert block[setting], setting
    (rule,) = resources[f"aws_s3_bucket_ownership_controls.{bucket}"]["rule"]
    assert rule["object_ownership"] == "BucketOwnerEnforced"
    assert resources[f"aws_s3_bucket_versioning.{bucket}"]["versioning_configuration"][0]["status"] == "Enabled"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_only_denials_of_a_bucket_concern_everybody(resources: dict[str, dict[str, Any]], bucket: str) -> None:
    for statement in statements(bucket, resources[f"aws_s3_bucket_policy.{bucket}"]["policy"]):
        if statement.effect == "Allow":
            assert set(statement.principals) == {"Service"}
            assert statement.conditional


def test_appflow_which_has_no_role_delivers_into_its_landing_folder_alone(resources: dict[str, dict[str, Any]]) -> None:
    found = statements("lake", resources["aws_s3_bucket_policy.lake"]["policy"])
    of_appflow = [each for each in found if each.principals == {"Service": "appflow.amazonaws.com"}]
    lake = "arn:aws:s3:::company-datalake-ci"
    assert any(each.concerns("s3:PutObject", f"{lake}/landing/appflow/crm/x") for each in of_appflow)
    assert not any(each.concerns("s3:PutObject", f"{lake}/raw/crm/x") for each in of_appflow)


@pytest.mark.parametrize("kind", ["aws_dms_replication_instance", "aws_redshiftserverless_workgroup"])
def test_database_is_not_public(resources: dict[str, dict[str, Any]], kind: str) -> None:
    assert not any(values["publicly_accessible"] for values in of(resources, kind).values())


def test_notebook_has_no_way_to_the_internet(resources: dict[str, dict[str, Any]]) -> None:
    for values in of(resources, "aws_sagemaker_notebook_instance").values():
        assert values["direct_internet_access"] == "Disabled"
        assert values["root_access"] == "Disabled"


def test_no_rule_of_the_network_names_the_whole_internet(resources: dict[str, dict[str, Any]]) -> None:
    for direction in ("ingress", "egress"):
        for address, values in of(resources, f"aws_vpc_security_group_{direction}_rule").items():
            assert values["cidr_ipv4"] != "0.0.0.0/0", address
            assert values["cidr_ipv6"] is None, address


def test_callers_of_the_api_sign_with_iam(resources: dict[str, dict[str, Any]]) -> None:
    assert {values["authorization_type"] for values in of(resources, "aws_apigatewayv2_route").values()} == {"AWS_IAM"}


# TLS


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_refuses_what_comes_without_tls(resources: dict[str, dict[str, Any]], bucket: str) -> None:
    policy = json.loads(resources[f"aws_s3_bucket_policy.{bucket}"]["policy"])
    arn = f"arn:aws:s3:::{resources[f'aws_s3_bucket.{bucket}']['bucket']}"
    (denial,) = (statement for statement in policy["Statement"] if statement["Sid"] == "TlsOnly")
    assert denial["Effect"] == "Deny"
    assert denial["Action"] == "s3:*"
    assert denial["Principal"] == "*"
    assert set(denial["Resource"]) == {arn, f"{arn}/*"}
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_databases_are_asked_over_tls(resources: dict[str, dict[str, Any]]) -> None:
    for values in of(resources, "aws_glue_connection").values():
        assert values["connection_properties"]["JDBC_ENFORCE_SSL"] == "true"
    assert resources["aws_dms_endpoint.rds_production[0]"]["ssl_mode"] == "require"
    parameters = resources["aws_redshiftserverless_workgroup.lake[0]"]["config_parameter"]
    assert {"parameter_key": "require_ssl", "parameter_value": "true"} in parameters


# Raw is append-only


def test_nobody_deletes_from_raw(resources: dict[str, dict[str, Any]]) -> None:
    found = statements("lake", resources["aws_s3_bucket_policy.lake"]["policy"])
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
        denials = [
            each
            for each in found
            if each.effect == "Deny" and each.concerns(action, "arn:aws:s3:::company-datalake-ci/raw/x")
        ]
        assert any(each.principals == "*" and not each.conditional for each in denials)


# Roles


def of_identities(access: Access) -> list[Statement]:
    return [statement for found in access.of_roles.values() for statement in found if statement.effect == "Allow"]


def test_no_policy_allows_a_wildcard_of_actions_on_data(access: Access) -> None:
    wild = {
        (statement.policy, action)
        for statement in of_identities(access)
        for action in statement.actions
        if "*" in action and action not in HARMLESS and (action == "*" or action.split(":")[0] in DATA_SERVICES)
    }
    assert wild == set()


def test_no_policy_allows_to_read_data_of_every_resource(access: Access) -> None:
    wide = {
        (statement.policy, action)
        for statement in of_identities(access)
        for action in READS_DATA
        if statement.concerns(action, "*") and "*" in statement.resources
    }
    assert wide == set()


def test_every_role_is_bounded(access: Access) -> None:
    exceptions = {
        # None of its policies is its own to change (docs/decisions/0017).
        "datalake-ci-deployer": None,
        "datalake-ci-deploy-planner": "aws_iam_policy.looks_at_the_stack",
    }
    assert access.boundaries == dict.fromkeys(access.roles, "aws_iam_policy.boundary") | exceptions


def test_no_role_may_change_what_bounds_it(access: Access) -> None:
    account = "arn:aws:iam::123456789012:"
    bounding = [f"{account}policy/datalake-ci-boundary", f"{account}policy/datalake-ci-deploy-access"]
    for policy in bounding:
        for action in ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion"):
            assert access.who_may(action, policy) == set()
    deployer = f"{account}role/datalake-ci-deployer"
    for action in ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePermissionsBoundary"):
        assert access.who_may(action, deployer) == set()


def test_services_of_aws_bring_only_the_policies_they_ask_for(access: Access) -> None:
    assert access.policies_of_aws == {
        "dms-cloudwatch-logs-role": "service-role/AmazonDMSCloudWatchLogsRole",
        "dms-vpc-role": "service-role/AmazonDMSVPCManagementRole",
    }


def trusts(values: dict[str, Any]) -> list[dict[str, Any]]:
    found = json.loads(values["assume_role_policy"])["Statement"]
    return [statement for statement in found if statement["Effect"] == "Allow"]


def test_roles_are_trusted_to_nobody_outside_the_account_but_services_and_github(
    resources: dict[str, dict[str, Any]],
) -> None:
    for address, values in of(resources, "aws_iam_role").items():
        for statement in trusts(values):
            (kind,) = statement["Principal"]
            assert kind in ("Service", "Federated", "AWS"), address
            if kind == "AWS":
                assert statement["Principal"]["AWS"].startswith("arn:aws:iam::123456789012:role/datalake-ci-"), address


def test_jobs_of_github_take_a_role_by_their_environment_alone(resources: dict[str, dict[str, Any]]) -> None:
    taken = {
        values["name"]: statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
        for values in of(resources, "aws_iam_role").values()
        for statement in trusts(values)
        if "Federated" in statement["Principal"]
    }
    assert taken == {
        "datalake-ci-deployer": "repo:owner/name:environment:ci",
        "datalake-ci-deploy-planner": "repo:owner/name:environment:ci-plan",
        "datalake-ci-pipeline": "repo:owner/name:environment:pull-request",
    }
