"""Each check of `datalake doctor`, seen right and wrong on an account in moto."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import account
import boto3
import pytest
from account import ACCOUNT, BUCKET, NAME, REGION, client
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from lakes import PROJECT
from moto import mock_aws
from moto.athena.models import athena_backends
from moto.core import set_initial_no_auth_action_count
from moto.glue.models import glue_backends
from moto.sns.models import sns_backends
from moto_glue import put_run

from datalake.cli import main
from datalake.doctor import Check, Finding, Site, State, When, at_site, examine, right
from datalake.needs import CHECKS, CONNECTIONS, WORKFLOW

VARIABLES = {"DATALAKE_TARGET": "prod", "DATALAKE_BUCKET": BUCKET, "AWS_REGION": REGION}
NAMED = {check.name: check for check in CHECKS}
MISSING, WRONG, WARNING, OK, UNCHECKED = State.missing, State.wrong, State.warning, State.ok, State.unchecked
Make = Callable[[], Any]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "DBT_PROFILES_DIR", "TERRAFORM_STATE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(account, "ANSWERS", dict(account.ANSWERS))
    ask_moto: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def ask(asked: Any, operation: str, arguments: dict[str, Any]) -> Any:
        service = asked.meta.service_model.service_name
        if (answer := account.ANSWERS.get((service, operation))) is None:
            return ask_moto(asked, operation, arguments)
        model = asked.meta.service_model.operation_model(operation)
        asked.meta.events.emit(f"before-call.{service}.{operation}", model=model, params={"headers": {}})
        if "Error" in answer:
            raise ClientError(answer, operation)  # type: ignore[arg-type]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", ask)
    with mock_aws():
        yield


def answer(service: str, operation: str, **told: Any) -> Make:
    """Return what lets the account answer so."""
    return lambda: account.ANSWERS.update({(service, operation): told})


def refuse(service: str, operation: str, code: str) -> Make:
    return answer(service, operation, Error={"Code": code, "Message": ""})


def make_role(name: str) -> Make:
    return lambda: client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")


def site(project: Path = PROJECT, **variables: str) -> Site:
    return at_site(project, VARIABLES | variables, client)


def look(name: str, at: Site | None = None) -> list[tuple[State, str]]:
    """Return how a check ends, alone; what it asks AWS takes no other right than it says."""
    return [(finding.state, finding.detail) for finding in findings(name, at)]


def findings(name: str, at: Site | None = None) -> list[Finding]:
    check, at = NAMED[name], at or site()
    asked: set[str] = set()

    def listen(model: Any, **_: Any) -> None:
        asked.add(right(check, model.name))

    listening = []

    def observed(service: str) -> Any:
        made = at.client(service)
        made.meta.events.register("before-call", listen)
        listening.append(made)
        return made

    found = examine([check], at_site(at.project, at.variables, observed))
    for made in listening:
        made.meta.events.unregister("before-call", listen)
    assert asked <= set(check.actions)
    return list(found)


def make_provider(*tags: dict[str, str]) -> Make:
    return lambda: client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ThumbprintList=["0" * 40], Tags=list(tags)
    )


def put_last_crawl(status: str) -> None:
    client("glue").start_crawler(Name="raw-zone-crawler")
    crawlers: Any = glue_backends[ACCOUNT][REGION].crawlers
    crawlers["raw-zone-crawler"].crawls[-1].status = status


def run_workflow(status: str) -> None:
    client("glue").start_workflow_run(Name=WORKFLOW)
    workflows: Any = glue_backends[ACCOUNT][REGION].workflows
    next(iter(workflows[WORKFLOW].runs.values())).status = status


def leave_unconfirmed() -> None:
    for subscription in sns_backends[ACCOUNT][REGION].subscriptions.values():
        subscription.arn = "PendingConfirmation"


def silence_alerts() -> None:
    for subscription in client("sns").list_subscriptions()["Subscriptions"]:
        client("sns").unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


def put_raw(key: str, storage_class: str) -> None:
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}", StorageClass=storage_class)


def send_dead_letter() -> None:
    url = client("sqs").get_queue_url(QueueName=f"{NAME}-arrivals-dead-letters")["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="{}")


def put_versioning(status: str) -> None:
    client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})


def on_bucket(operation: str, **arguments: Any) -> None:
    getattr(client("s3"), operation)(Bucket=BUCKET, **arguments)


def disable_workgroup(name: str) -> None:
    athena_backends[ACCOUNT][REGION].work_groups[name].state = "DISABLED"


def let_crawler_change() -> None:
    client("glue").delete_crawler(Name="raw-zone-crawler")
    account.put_crawler("raw-zone-crawler", UpdateBehavior="UPDATE_IN_DATABASE")


def update_function(**settings: Any) -> None:
    client("lambda").update_function_configuration(FunctionName=f"{NAME}-api", **settings)


def feed() -> str:
    """Return the id of what feeds the function of arrivals."""
    (source,) = client("lambda").list_event_source_mappings(FunctionName=f"{NAME}-arrivals")["EventSourceMappings"]
    return str(source["UUID"])


def update_feed(**settings: Any) -> None:
    client("lambda").update_event_source_mapping(UUID=feed(), **settings)


def remove_feed() -> None:
    client("lambda").delete_event_source_mapping(UUID=feed())


def lifecycle(prefix: str, status: str = "Enabled", **rule: Any) -> Make:
    return partial(account.put_lifecycle, account.rule("mistake", prefix, status, **rule))


def open_to_everybody(resource: dict[str, Any]) -> Make:
    return partial(account.grant, "IAM_ALLOWED_PRINCIPALS", resource, "ALL")


EVERYBODY = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]
CUSTOMERS = {"Table": {"DatabaseName": "curated_db", "Name": "customers"}}

RIGHT: dict[str, tuple[Make, ...]] = {
    "credentials": (),
    "bucket_names": (),
    "executions": (),
    "service_roles": (),
    "github_provider": (),
    "quicksight": (),
    "crm_profile": (),
    "bucket": (account.deploy_bucket,),
    "bucket_versioning": (account.deploy_bucket,),
    "bucket_encryption": (account.deploy_bucket,),
    "bucket_public_access": (account.deploy_bucket,),
    "bucket_tls": (account.deploy_bucket,),
    "bucket_lifecycle": (account.deploy_bucket,),
    "bucket_events": (account.deploy_bucket,),
    "archived_raw": (account.make_bucket, partial(put_raw, "raw/orders/year=2024/a.json", "STANDARD")),
    "analysts_workgroup": (account.deploy_workgroups,),
    "dbt_workgroup": (account.deploy_workgroups,),
    "databases": (account.deploy_databases,),
    "raw_tables": (account.deploy_raw_tables,),
    "new_tables_closed": (account.deploy_lake_formation,),
    "customers_closed": (account.deploy_lake_formation,),
    "pipeline_grants": (account.deploy_lake_formation,),
    "workflow": (account.deploy_workflow,),
    "jobs": (account.deploy_jobs,),
    "crawlers": (account.deploy_crawlers,),
    "stream": (account.deploy_stream,),
    "delivery": (account.deploy_delivery,),
    "functions": (account.deploy_functions,),
    "arrivals": (account.feed_arrivals,),
    "dead_letters": (account.deploy_dead_letters,),
    "secrets": (partial(account.deploy_secrets, *CONNECTIONS),),
    "replication": (account.start_replication,),
    "flows": (),
    "alerts": (partial(account.deploy_alerts, "lake@example.com"),),
    "built": (account.deploy_databases, account.build),
}
"""What makes each check of the account right."""

FAULTS: list[tuple[str, Make | None, State, str]] = [
    (
        "executions",
        answer("lambda", "GetAccountSettings", AccountLimit={"ConcurrentExecutions": 10}),
        WRONG,
        "Lambda gives this account 10 executions at once; the stack needs 123.",
    ),
    ("service_roles", make_role("dms-vpc-role"), WARNING, "There is a role dms-vpc-role already, of another stack."),
    ("github_provider", make_provider(), WARNING, "There is a provider token.actions.githubusercontent.com already"),
    (
        "quicksight",
        refuse("quicksight", "DescribeAccountSubscription", "ResourceNotFoundException"),
        WARNING,
        "not signed up",
    ),
    (
        "crm_profile",
        answer("appflow", "DescribeConnectorProfiles", connectorProfileDetails=[]),
        WARNING,
        "There is no connector profile crm of AppFlow.",
    ),
    ("bucket", None, MISSING, f"There is no bucket {BUCKET}."),
    ("bucket_versioning", lambda: put_versioning("Suspended"), WRONG, "is Suspended"),
    ("bucket_encryption", partial(account.put_encryption, "AES256"), WRONG, "by AES256, not by aws:kms"),
    ("bucket_public_access", partial(account.put_public_access, BlockPublicPolicy=False), WRONG, "BlockPublicPolicy"),
    ("bucket_public_access", lambda: on_bucket("delete_public_access_block"), WRONG, "RestrictPublicBuckets"),
    ("bucket_tls", lambda: on_bucket("delete_bucket_policy"), WRONG, "denies no request"),
    ("bucket_tls", lambda: account.put_policy(account.s3_policy(Effect="Allow")), WRONG, "denies no request"),
    ("bucket_tls", lambda: account.put_policy(account.s3_policy(Action="s3:GetObject")), WRONG, "denies no request"),
    ("bucket_lifecycle", lifecycle("", Expiration={"Days": 365}), WRONG, "mistake removes files under curated_db/"),
    ("bucket_lifecycle", lifecycle("", Expiration={"Days": 365}), WRONG, "mistake removes files under analytics_db/"),
    ("bucket_lifecycle", lifecycle("", Expiration={"Days": 365}), WRONG, "before they are 2,555 days old"),
    ("bucket_lifecycle", lifecycle("curated_db/orders/", Expiration={"Days": 1095}), WRONG, "live ones too"),
    ("bucket_lifecycle", lifecycle("analytics_db", Expiration={"Days": 365}), WRONG, "live ones too"),
    ("bucket_lifecycle", lifecycle("raw/", Expiration={"Days": 2554}), WRONG, "before they are 2,555 days old"),
    (
        "bucket_lifecycle",
        lifecycle("curated_db/", Transitions=[{"Days": 90, "StorageClass": "GLACIER"}]),
        WRONG,
        "mistake moves files under curated_db/ to GLACIER",
    ),
    (
        "bucket_events",
        lambda: on_bucket("put_bucket_notification_configuration", NotificationConfiguration={}),
        MISSING,
        "tells no queue",
    ),
    (
        "bucket_events",
        lambda: on_bucket(
            "put_bucket_notification_configuration",
            NotificationConfiguration={"QueueConfigurations": [account.events(account.make_queue(), "raw/")]},
        ),
        MISSING,
        "tells no queue of new objects under landing/appflow/.",
    ),
    ("archived_raw", partial(put_raw, "raw/orders/year=2023/a.json", "GLACIER"), WARNING, "orders: at least 1 files"),
    (
        "archived_raw",
        partial(put_raw, "raw/api_events/source=shop/year=2023/a.json", "DEEP_ARCHIVE"),
        WARNING,
        "raw/api_events/source=shop/year=2023/a.json",
    ),
    ("analysts_workgroup", None, MISSING, "There is no workgroup analytics-team."),
    ("analysts_workgroup", partial(account.put_analysts, EnforceWorkGroupConfiguration=False), WRONG, "not enforce"),
    ("analysts_workgroup", partial(account.put_analysts, BytesScannedCutoffPerQuery=1 << 40), WRONG, "1099511627776"),
    ("analysts_workgroup", partial(account.put_analysts, PublishCloudWatchMetricsEnabled=False), WRONG, "no metrics"),
    ("analysts_workgroup", partial(account.put_analysts, ResultConfiguration={}), WRONG, "does not encrypt"),
    ("analysts_workgroup", partial(disable_workgroup, "analytics-team"), WRONG, "is disabled"),
    ("dbt_workgroup", None, MISSING, "There is no workgroup datalake-dbt."),
    ("dbt_workgroup", partial(account.put_dbts, EnforceWorkGroupConfiguration=True), WRONG, "overrides where tables"),
    ("dbt_workgroup", partial(disable_workgroup, "datalake-dbt"), WRONG, "is disabled"),
    (
        "dbt_workgroup",
        partial(account.put_dbts, EngineVersion={"SelectedEngineVersion": "Athena engine version 2"}),
        WRONG,
        "runs Athena engine version 2",
    ),
    ("databases", lambda: client("glue").delete_database(Name="analytics_db"), MISSING, "no database analytics_db"),
    (
        "raw_tables",
        lambda: client("glue").delete_table(DatabaseName="raw_db", Name="orders_lines"),
        MISSING,
        "There is no table raw_db.orders_lines.",
    ),
    (
        "raw_tables",
        partial(account.alter_raw_table, "orders", Columns=[{"Name": "order_id", "Type": "bigint"}]),
        WRONG,
        "raw_db.orders: its columns are order_id bigint, and the source YAML says order_id string, customer_id string",
    ),
    ("raw_tables", partial(account.alter_raw_table, "events", PartitionKeys=[]), WRONG, "its partitions are"),
    ("raw_tables", partial(account.alter_raw_table, "events", Location="s3://other/raw/"), WRONG, "its location are"),
    (
        "raw_tables",
        partial(account.alter_raw_table, "events", Parameters={"projection.enabled": "false"}),
        WRONG,
        "its projection are false",
    ),
    (
        "raw_tables",
        partial(account.alter_raw_table, "events", Parameters={"storage.location.template": "s3://other/${arrived}"}),
        WRONG,
        "its folders are",
    ),
    (
        "new_tables_closed",
        partial(account.put_new_tables, CreateTableDefaultPermissions=EVERYBODY),
        WRONG,
        "CreateTableDefaultPermissions gives what is new",
    ),
    (
        "customers_closed",
        open_to_everybody(CUSTOMERS),
        WRONG,
        "IAM_ALLOWED_PRINCIPALS may ALL on the table curated_db.customers.",
    ),
    ("customers_closed", open_to_everybody({"Database": {"Name": "curated_db"}}), WRONG, "on the database curated_db"),
    ("pipeline_grants", None, MISSING, f"{account.ROLE} may make no tables in raw_db."),
    ("workflow", None, MISSING, f"There is no workflow {WORKFLOW}."),
    ("workflow", partial(run_workflow, "ERROR"), WARNING, "failed"),
    (
        "workflow",
        lambda: client("glue").stop_trigger(Name=f"{WORKFLOW}-begin"),
        WRONG,
        f"The trigger {WORKFLOW}-begin of {WORKFLOW} is DEACTIVATED.",
    ),
    ("workflow", lambda: client("glue").delete_trigger(Name=f"{WORKFLOW}-begin"), MISSING, "no trigger that starts it"),
    ("jobs", lambda: client("glue").delete_job(JobName="datalake-events"), MISSING, "There is no job datalake-events."),
    ("jobs", partial(put_run, "datalake-orders", "FAILED", ErrorMessage="Out of memory."), WARNING, "Out of memory."),
    ("crawlers", lambda: client("glue").delete_crawler(Name="curated-zone-crawler"), MISSING, "no crawler curated"),
    ("crawlers", let_crawler_change, WRONG, "raw-zone-crawler may change tables"),
    ("crawlers", partial(put_last_crawl, "FAILED"), WARNING, "The last crawl of raw-zone-crawler failed"),
    ("stream", None, MISSING, "There is no stream events-stream of Kinesis."),
    ("delivery", None, MISSING, "There is no stream events-stream of Firehose."),
    ("functions", None, MISSING, f"There is no function {NAME}-arrivals."),
    ("functions", partial(update_function, Runtime="python3.11"), WRONG, "runs on python3.11; its zip is for"),
    (
        "functions",
        partial(update_function, Environment={"Variables": {}}),
        MISSING,
        f"{NAME}-api has no GLUE_DATABASE.",
    ),
    (
        "functions",
        partial(update_function, Environment={"Variables": account.SETTINGS | {"RAW_DATA_BUCKET": "other"}}),
        WRONG,
        f"{NAME}-api works on other, not on {BUCKET}.",
    ),
    ("arrivals", partial(update_feed, Enabled=False), WRONG, "is Disabled"),
    ("arrivals", partial(update_feed, FunctionResponseTypes=[]), WRONG, "does not take ReportBatchItemFailures"),
    ("arrivals", remove_feed, MISSING, f"No queue feeds {NAME}-arrivals."),
    ("dead_letters", None, MISSING, f"There is no queue {NAME}-arrivals-dead-letters."),
    ("dead_letters", send_dead_letter, WARNING, "holds 1 messages"),
    ("secrets", None, MISSING, f"There is no secret {NAME}/rds-production."),
    ("replication", None, WARNING, "There is no task datalake-prod-customers of DMS"),
    (
        "flows",
        refuse("appflow", "DescribeFlow", "ResourceNotFoundException"),
        WARNING,
        "no flow datalake-prod-accounts",
    ),
    (
        "flows",
        answer("appflow", "DescribeFlow", flowStatus="Draft"),
        WARNING,
        "datalake-prod-contacts of AppFlow is Draft",
    ),
    (
        "flows",
        answer(
            "appflow",
            "DescribeFlow",
            flowStatus="Active",
            lastRunExecutionDetails={"mostRecentExecutionStatus": "Error", "mostRecentExecutionMessage": "Expired."},
        ),
        WARNING,
        "The last run of the flow datalake-prod-accounts failed: Expired.",
    ),
    ("alerts", None, MISSING, f"There is no topic {account.TOPIC}."),
    ("alerts", leave_unconfirmed, WARNING, "lake@example.com has not confirmed yet"),
    ("alerts", silence_alerts, WARNING, "Nobody gets the alerts."),
    (
        "built",
        lambda: client("glue").delete_table(DatabaseName="curated_db", Name="orders"),
        WARNING,
        "no curated_db.orders",
    ),
]
"""A check, what makes it wrong once it was right (None: that nothing was made), and what it then finds."""


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_ok(name: str) -> None:
    for make in RIGHT[name]:
        make()
    assert {state for state, _ in look(name)} == {OK}


@pytest.mark.parametrize(
    ("name", "spoil", "state", "told"), FAULTS, ids=[f"{name}-{told[:30]}" for name, _, _, told in FAULTS]
)
def test_fault_is_found(name: str, spoil: Make | None, state: State, told: str) -> None:
    if spoil is not None:
        for make in RIGHT[name]:
            make()
        spoil()
    found = look(name)
    assert any(state is each and told in detail for each, detail in found), found
    assert all(each in (state, OK) for each, _ in found)


def test_each_check_of_the_account_is_seen_right_and_wrong() -> None:
    here = {"variables", "packages", "profile", "terraform", "artifacts", "state_bucket"}
    assert RIGHT.keys() == NAMED.keys() - here
    assert {name for name, *_ in FAULTS} == RIGHT.keys() - {"credentials", "bucket_names"}


@pytest.mark.parametrize("days", [17, 18])
def test_deliveries_are_kept_as_long_as_their_events_wait(days: int) -> None:
    account.deploy_bucket()
    lifecycle("landing/", Expiration={"Days": days})()
    assert [state for state, _ in look("bucket_lifecycle")] == [WRONG if days < 18 else OK]


def test_service_role_of_this_stack_is_no_other() -> None:
    make_role("dms-vpc-role")()
    client("iam").tag_role(RoleName="dms-vpc-role", Tags=[{"Key": "project", "Value": "data-lake"}])
    assert look("service_roles") == [(OK, "")]


def test_github_provider_of_this_stack_is_no_other() -> None:
    make_provider({"Key": "project", "Value": "data-lake"})()
    assert look("github_provider") == [(OK, "")]


def test_lake_that_is_whole_has_no_fault(project: Path) -> None:
    account.deploy_all()
    found = examine((check for check in CHECKS if check.when is not When.before), site(project))
    assert [(finding.check.name, finding.detail) for finding in found if finding.state is not OK] == []


def test_empty_account_has_each_fault_once() -> None:
    """What waits for a bucket, a database or a function that is not there is not told a second time."""
    found = examine((check for check in CHECKS if check.when is When.deployed), site())
    told = [finding for finding in found if finding.is_fault]
    assert {finding.state for finding in told} == {MISSING, WRONG}
    waiting = {finding.check.name: finding.detail for finding in found if finding.state is State.waiting}
    assert waiting["bucket_tls"] == "It waits for bucket."
    assert waiting["raw_tables"] == waiting["built"] == "It waits for databases."
    assert waiting["arrivals"] == "It waits for functions."
    assert not waiting.keys() & {finding.check.name for finding in told}


def test_bucket_elsewhere_is_wrong() -> None:
    account.make_bucket()
    found = look("bucket", site(AWS_REGION="eu-west-1"))
    assert found == [(WRONG, f"{BUCKET} is in us-east-1, and AWS_REGION is eu-west-1.")]


def test_each_check_waits_only_for_checks_before_it() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for position, check in enumerate(CHECKS):
        assert set(check.after) <= set(names[:position])
        assert check.needs.endswith(".")
        assert check.remedy.endswith(".")


# Rights


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Site:
    """A user without any right."""
    client("iam").create_user(UserName="stranger")
    key = client("iam").create_access_key(UserName="stranger")["AccessKey"]

    def of_stranger(service: str) -> Any:
        create: Any = boto3.client
        return create(
            service,
            region_name=REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    return at_site(PROJECT, VARIABLES, of_stranger)


@pytest.mark.parametrize(
    ("name", "lacked"),
    [
        ("bucket_lifecycle", "s3:GetLifecycleConfiguration"),
        ("bucket_versioning", "s3:GetBucketVersioning"),
        ("bucket", "s3:ListBucket"),
        ("databases", "glue:GetDatabase"),
        ("functions", "lambda:GetFunctionConfiguration"),
        ("customers_closed", "lakeformation:ListPermissions"),
        ("alerts", "sns:ListSubscriptionsByTopic"),
    ],
)
def test_lacking_right_is_named(stranger: Site, name: str, lacked: str) -> None:
    account.make_bucket()

    @set_initial_no_auth_action_count(0)
    def looked() -> list[tuple[State, str]]:
        return look(name, stranger)

    assert looked() == [(UNCHECKED, f"You lack the right {lacked}.")]


def test_credentials_that_aws_does_not_take_are_told(stranger: Site) -> None:
    @set_initial_no_auth_action_count(0)
    def looked() -> list[tuple[State, str]]:
        return look("credentials", at_site(PROJECT, VARIABLES, unknown))

    def unknown(service: str) -> Any:
        create: Any = boto3.client
        return create(service, region_name=REGION, aws_access_key_id="AKIAUNKNOWN", aws_secret_access_key="none")

    ((state, detail),) = looked()
    assert state is WRONG
    assert detail.startswith("AWS does not take your credentials: InvalidClientTokenId")


def test_bucket_of_another_account_is_no_free_name(stranger: Site) -> None:
    account.make_bucket()

    @set_initial_no_auth_action_count(0)
    def looked() -> list[tuple[State, str]]:
        return look("bucket_names", stranger)

    assert looked()[0] == (WRONG, f"{BUCKET} is taken by another account, or you may not list it.")


def test_refusal_by_lake_formation_is_no_lacking_right_of_iam() -> None:
    def refuse(_: Site) -> Iterator[Any]:
        message = "Insufficient Lake Formation permission(s) on customers"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetTable")

    (found,) = examine([Check("raw_tables", "", "", refuse, ("glue:GetTable",))], site())
    assert (found.state, found.detail) == (
        UNCHECKED,
        "Lake Formation does not let you look: Insufficient Lake Formation permission(s) on customers",
    )


# Here


def test_variables_that_are_missing_are_named() -> None:
    found = look("variables", at_site(PROJECT, {}, client))
    assert [state for state, _ in found] == [MISSING, MISSING, WARNING]
    assert [detail.split()[0] for _, detail in found] == ["DATALAKE_TARGET", "DATALAKE_BUCKET", "AWS_REGION"]
    assert look("variables") == [(OK, "")]
    assert look("variables", site(DATALAKE_TARGET="local"))[0][1].startswith("DATALAKE_TARGET is local; it names")
    assert look("variables", site(DATALAKE_TARGET="dev"))[0][1].startswith("DATALAKE_USER is not set")
    assert look("variables", site(DATALAKE_TARGET="dev", DATALAKE_USER="ann")) == [(OK, "")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout, as far as a look goes at it."""
    for name in ("pyproject.toml", "requirements.lock", "profiles.yml.example"):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copy(PROJECT / "profiles.yml.example", tmp_path / "profiles.yml")
    (tmp_path / "models").symlink_to(PROJECT / "models")
    return tmp_path


def test_other_packages_than_the_locked_ones_are_named(project: Path) -> None:
    assert look("packages", site(project)) == [(OK, "")]
    lock = project / "requirements.lock"
    lock.write_text(re.sub(r"^dbt-core==\S+", "dbt-core==1.11.0", lock.read_text(), flags=re.MULTILINE))
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"boto3>=1.40",', '"boto3>=1.40",\n    "not-there>=1",', 1))
    assert look("packages", site(project)) == [
        (MISSING, "not-there is not installed; the lock has None."),
        (WRONG, f"dbt-core is {version('dbt-core')}; the lock has 1.11.0."),
    ]
    lock.unlink()
    assert look("packages", site(project))[0][0] is MISSING


def test_what_a_profile_lacks_is_named(project: Path) -> None:
    profile = project / "profiles.yml"
    assert look("profile", site(project)) == [(OK, "")]
    written = profile.read_text()
    profile.write_text(written.replace("      num_retries: 3\n", "").replace("    prod:", "    production:"))
    found = {detail.removeprefix(f"{profile} has no ") for _, detail in look("profile", site(project))}
    assert {"num_retries for the target dev.", "num_retries for the target ci.", "target prod."} <= found
    profile.write_text(written.replace("type: duckdb", "type: athena"))
    assert look("profile", site(project)) == [(WRONG, f"{profile}: the target local is of type athena, not duckdb.")]
    profile.write_text("datalake: [")
    assert look("profile", site(project))[0] == (MISSING, f"{profile} has no target local.")
    profile.unlink()
    assert look("profile", site(project)) == [(MISSING, f"There is no {profile}.")]


def test_profile_is_looked_for_where_dbt_looks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("profiles")
    assert look("profile", site(project, DBT_PROFILES_DIR=str(folder)))[0][1] == f"There is no {folder}/profiles.yml."


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ('{"terraform_version": "1.11.4"}', OK),
        ('{"terraform_version": "1.15.0-rc1"}', OK),
        ('{"terraform_version": "1.10.5"}', WRONG),
        ('{"terraform_version": "2.0.0"}', WRONG),
        ("not found", WRONG),
    ],
)
def test_terraform_is_of_a_version_that_knows_the_stack(tmp_path: Path, told: str, state: State) -> None:
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\necho '{told}'\n")
    program.chmod(0o755)
    assert look("terraform", site(PATH=str(tmp_path)))[0][0] is state
    program.unlink()
    assert look("terraform", site(PATH=str(tmp_path))) == [(MISSING, "There is no terraform on the PATH.")]


def test_artifacts_that_are_not_built_are_named(project: Path) -> None:
    dist = project / "dist"
    dist.mkdir()
    for name in ("datalake-0.1.0-py3-none-any.whl", "requirements.txt", "project.zip"):
        (dist / name).touch()
    assert look("artifacts", site(project)) == [(MISSING, f"There is no {dist}/lambda.zip.")]
    (dist / "lambda.zip").touch()
    assert look("artifacts", site(project)) == [(OK, "")]


def test_bucket_of_the_state_keeps_versions() -> None:
    assert look("state_bucket")[0][1].startswith("TERRAFORM_STATE_BUCKET is not set")
    at = site(TERRAFORM_STATE_BUCKET="state")
    assert look("state_bucket", at) == [(MISSING, "There is no bucket state.")]
    client("s3").create_bucket(Bucket="state")
    assert look("state_bucket", at)[0][0] is WRONG
    client("s3").put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    assert look("state_bucket", at) == [(OK, "")]


# The command


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs `datalake doctor` in this process; a variable of None is not set."""

    def run_here(*arguments: str, **variables: str | None) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in ({**VARIABLES, "COLUMNS": "200"} | variables).items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            patch.setattr(sys, "argv", ["datalake", "doctor", "--project", str(project), *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_here


@pytest.fixture
def quick(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the same with clients that are there already."""
    monkeypatch.setattr("datalake.cli.examining.client", lambda service, **_: client(service))
    return run


def test_command_ends_well_where_nothing_is_at_fault(run: Run) -> None:
    account.deploy_all()
    code, said, _ = run()
    assert code == 0
    assert f"arn:aws:sts::{ACCOUNT}:user/moto, in us-east-1." in said
    assert "wait for" not in said


def test_command_says_what_is_at_fault_and_how_to_mend_it(quick: Run) -> None:
    account.deploy_all()
    client("sns").delete_topic(TopicArn=account.TOPIC)
    lifecycle("", Expiration={"Days": 365})()
    code, said, _ = quick()
    assert code == 1
    assert "bucket_lifecycle: The rule mistake removes files under curated_db/ by age, live ones too." in said
    assert said.count("  Disable the rule now; rows of Iceberg tables expire by DELETE and VACUUM") == 1
    assert "alerts: There is no topic" in said


def test_warnings_alone_do_not_fail_the_command(quick: Run) -> None:
    account.deploy_all()
    send_dead_letter()
    code, said, _ = quick()
    assert code == 0
    assert "datalake-prod-arrivals-dead-letters holds 1 messages." in said


def test_json_has_each_finding_and_whether_the_lake_is_built(quick: Run) -> None:
    account.deploy_all()
    told = json.loads(quick("--json")[1])
    assert (told["environment"], told["lake_is_built"]) == ("prod", True)
    assert [each["check"] for each in told["findings"]] == [c.name for c in CHECKS if c.when is not When.before]
    assert told["findings"][0].keys() == {"check", "state", "needs", "detail", "remedy"}
    client("glue").delete_table(DatabaseName="analytics_db", Name="fct_orders")
    assert json.loads(quick("--json")[1])["lake_is_built"] is False
    client("glue").delete_database(Name="analytics_db")
    code, said, _ = quick("--json")
    assert (code, json.loads(said)["lake_is_built"]) == (1, None)


def test_whether_the_lake_is_built_is_one_word(quick: Run) -> None:
    """An account without databases, before the first apply, has a lake that is not built."""
    assert quick("--is-built") == (0, "false\n", "")
    account.deploy_databases()
    assert quick("--is-built") == (0, "false\n", "")
    account.build()
    assert quick("--is-built") == (0, "true\n", "")


def test_whether_the_lake_is_built_is_not_guessed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """To take a grant back because of a network's fault would close the lake."""
    refuse_all(monkeypatch)
    code, said, error = run("--is-built")
    assert (code, said) == (1, "")
    assert "It can't be told whether the lake is built. AWS can't be asked" in error


def test_account_out_of_reach_is_one_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_all(monkeypatch)
    code, said, _ = run("--json")
    faults = [each for each in json.loads(said)["findings"] if each["state"] not in ("ok", "waiting")]
    assert code == 1
    assert [each["check"] for each in faults] == ["credentials"]
    assert faults[0]["detail"].startswith("AWS can't be asked: Could not connect to the endpoint URL")


def refuse_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AWS be at a port that nobody listens on."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def test_lacking_credentials_are_one_finding(run: Run) -> None:
    alone = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": None}
    code, said, _ = run(
        "--json",
        **alone,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )
    faults = [each for each in json.loads(said)["findings"] if each["state"] not in ("ok", "waiting")]
    assert code == 1
    assert [(each["check"], each["detail"]) for each in faults] == [
        ("credentials", "AWS can't be asked: Unable to locate credentials")
    ]


def test_command_looks_before_a_deployment_at_what_is_needed_for_it(quick: Run) -> None:
    code, said, _ = quick("--before-deploy", TERRAFORM_STATE_BUCKET="state")
    assert code == 1
    assert "state_bucket: There is no bucket state." in said
    assert "bucket_versioning" not in said


def test_target_may_be_named_beside_the_environment(quick: Run) -> None:
    assert json.loads(quick("--json", "--target", "ci")[1])["environment"] == "ci"
    code, said, _ = quick(DATALAKE_TARGET="local")
    assert code == 1
    assert "DATALAKE_TARGET is local; it names the lake" in said
