"""What a deployed lake needs, each need a check of `datalake.doctor`, in the order in which they are looked at.

Names are those that the stack under `terraform/aws/data-lake/` gives. Settings are looked at where another value loses
data, opens what is closed, or stops a run; the stack's own tests hold the rest.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from datalake.catalog import RAW_DATABASE
from datalake.doctor import Check, Result, Site, When, fine, missing, warning, wrong
from datalake.monitor import STREAM, WORKGROUPS
from datalake.package import RUNTIME
from datalake.sources import RawTable, load_sources

ICEBERG = ("curated_db/", "analytics_db/")
"""The folders of the bucket that hold Iceberg tables, whose oldest files may be in use."""

RAW_DAYS = 2555
"""How long raw is kept: 7 years."""

CUT_OFF = 10_737_418_240
"""The bytes at which a query of the analysts is cut off."""

JOBS = (
    "datalake-orders",
    "datalake-users",
    "datalake-products",
    "datalake-customers",
    "datalake-events",
    "datalake-metrics",
)
WORKFLOW = "datalake-daily"
CRAWLERS = ("raw-zone-crawler", "curated-zone-crawler")
CONNECTIONS = ("rds-production", "redshift-warehouse")
DATABASES = (RAW_DATABASE, "curated_db", "analytics_db")
BUILT = ("curated_db.orders", "analytics_db.fct_orders")
"""Tables that dbt has made once it has built the lake whole."""

FLOWS = ("accounts", "contacts")
"""The data sets that AppFlow brings from the CRM."""

LANDED = ("landing/dms/", "landing/appflow/")
"""The folders in which services deliver what is then brought into raw/."""

LANDING_DAYS = 18
"""How long an event of S3 may wait: 4 days in the queue of arrivals, 14 among the dead letters."""

EXECUTIONS = 123
"""Executions at once that Lambda must give: 20 for requests, 2 for arrivals, 1 to watch, and 100 that stay unreserved.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

SERVICE_ROLES = ("dms-vpc-role", "dms-cloudwatch-logs-role")
"""The roles that DMS asks for under these names, which an account has once."""

TERRAFORM = (1, 11)
ARTIFACTS = ("datalake-*.whl", "requirements.txt", "project.zip", "lambda.zip")

GITHUB = "token.actions.githubusercontent.com"
"""The OpenID Connect provider by which GitHub signs in, which an account has once."""

_OURS = {"Key": "project", "Value": "data-lake"}
"""The tag of what the stack makes."""

_COLD = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects Athena leaves out without an error."""

_EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
"""Lake Formation's name for whoever IAM allows, tables' columns and all."""

_SETTINGS = {
    "api": ("RAW_DATA_BUCKET", "PROCESSED_DATA_BUCKET", "GLUE_DATABASE", "ATHENA_RESULTS_BUCKET"),
    "arrivals": ("RAW_DATA_BUCKET",),
    "watch": ("WATCHED_JOBS",),
}
"""What each Lambda function must find in its environment."""


def _found(call: Callable[..., Any], *absent: str, **arguments: Any) -> Any:  # noqa: ANN401 - any answer of boto3
    """Return the answer of a request, or None where AWS names one of these errors."""
    try:
        return call(**arguments)
    except ClientError as error:
        if str(error.response["Error"]["Code"]) in absent:
            return None
        raise


def _name(site: Site, what: str) -> str:
    """Return the name of what an environment has one of, as the stack gives it."""
    return f"datalake-{site.environment}-{what}"


# Here


def _variables(site: Site) -> Iterator[Result]:
    if site.environment not in ("dev", "ci", "prod"):
        told = f"DATALAKE_TARGET is {site.environment}" if site.environment else "DATALAKE_TARGET is not set"
        yield missing(f"{told}; it names the lake: dev, ci or prod.")
    if not site.bucket:
        yield missing("DATALAKE_BUCKET is not set; it names the lake's bucket, company-datalake-{dev|ci|prod}.")
    if site.environment == "dev" and not site.variables.get("DATALAKE_USER"):
        yield warning("DATALAKE_USER is not set; it names the person whose sandbox_{user} dbt builds in.")
    if "AWS_REGION" not in site.variables:
        yield warning(f"AWS_REGION is not set; {site.region} is taken.")


def _packages(site: Site) -> Iterator[Result]:
    pyproject, lock = site.project / "pyproject.toml", site.project / "requirements.lock"
    if not pyproject.exists() or not lock.exists():
        yield missing(f"There is no pyproject.toml and requirements.lock in {site.project.resolve()}.")
        return
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    for requirement in tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]:
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield missing(f"{name} is not installed; the lock has {locked.get(name)}.")
            continue
        if installed != locked.get(name):
            yield wrong(f"{name} is {installed}; the lock has {locked.get(name)}.")


def _profile(site: Site) -> Iterator[Result]:
    example = site.project / "profiles.yml.example"
    profile = Path(site.named("DBT_PROFILES_DIR", str(site.project))) / "profiles.yml"
    for file in (example, profile):
        if not file.exists():
            yield missing(f"There is no {file}.")
            return
    wanted, outputs = (_outputs(file) for file in (example, profile))
    for target, settings in wanted.items():
        if target not in outputs:
            yield missing(f"{profile} has no target {target}.")
            continue
        for setting in sorted(settings.keys() - outputs[target].keys()):
            yield missing(f"{profile} has no {setting} for the target {target}.")
        if settings.get("type") != outputs[target].get("type", settings.get("type")):
            yield wrong(f"{profile}: the target {target} is of type {outputs[target]['type']}, not {settings['type']}.")


def _outputs(file: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return {}
    profile = document.get("datalake") if isinstance(document, dict) else None
    return profile.get("outputs", {}) if isinstance(profile, dict) else {}


def _terraform(site: Site) -> Iterator[Result]:
    program = shutil.which("terraform", path=site.variables.get("PATH"))
    if program is None:
        yield missing("There is no terraform on the PATH.")
        return
    told = subprocess.run([program, "version", "-json"], capture_output=True, text=True).stdout
    found = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)[^"]*"', told)
    if found is None:
        yield wrong(f"{program} does not tell its version.")
    elif not TERRAFORM <= (int(found[1]), int(found[2])) < (TERRAFORM[0] + 1,):
        yield wrong(f"{program} is {found[1]}.{found[2]}.")


def _artifacts(site: Site) -> Iterator[Result]:
    folder = site.project / "dist"
    for pattern in ARTIFACTS:
        if not any(folder.glob(pattern)):
            yield missing(f"There is no {folder / pattern}.")


# The account


def _credentials(site: Site) -> Iterator[Result]:
    try:
        who = site.client("sts").get_caller_identity()
    except ClientError as error:
        told = error.response["Error"]
        yield wrong(f"AWS does not take your credentials: {told.get('Code')}, {told.get('Message')}")
    except BotoCoreError as error:
        yield wrong(f"AWS can't be asked: {error}")
    else:
        yield fine(f"You are {who['Arn']}, in {site.region}.")


def _state_bucket(site: Site) -> Iterator[Result]:
    name = site.variables.get("TERRAFORM_STATE_BUCKET")
    if not name:
        yield missing("TERRAFORM_STATE_BUCKET is not set; it names the bucket of Terraform's state.")
        return
    s3 = site.client("s3")
    if _found(s3.head_bucket, "404", "NoSuchBucket", Bucket=name) is None:
        yield missing(f"There is no bucket {name}.")
    elif s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        yield wrong(f"{name} keeps no versions; a state that is overwritten is lost.")


def _free_names(site: Site) -> Iterator[Result]:
    for name in (site.bucket, f"{site.bucket}-results", f"{site.bucket}-logs"):
        try:
            site.client("s3").head_bucket(Bucket=name)
        except ClientError as error:
            # S3 forbids to look at a bucket of another account, and gives no reason.
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 403:
                yield wrong(f"{name} is taken by another account, or you may not list it.")
            elif status != 404:
                raise


def _executions(site: Site) -> Iterator[Result]:
    limit = site.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if limit < EXECUTIONS:
        yield wrong(f"Lambda gives this account {limit:,} executions at once; the stack needs {EXECUTIONS}.")


def _service_roles(site: Site) -> Iterator[Result]:
    for name in SERVICE_ROLES:
        role = _found(site.client("iam").get_role, "NoSuchEntity", RoleName=name)
        if role and _OURS not in role["Role"].get("Tags", []):
            yield warning(f"There is a role {name} already, of another stack.")


def _github(site: Site) -> Iterator[Result]:
    iam = site.client("iam")
    for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        if provider["Arn"].endswith(f"/{GITHUB}"):
            told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
            if _OURS not in told.get("Tags", []):
                yield warning(f"There is a provider {GITHUB} already, of another stack.")


def _quicksight(site: Site) -> Iterator[Result]:
    account = site.client("sts").get_caller_identity()["Account"]
    told = _found(
        site.client("quicksight").describe_account_subscription, "ResourceNotFoundException", AwsAccountId=account
    )
    if told is None:
        yield warning("The account is not signed up for QuickSight.")


def _crm_profile(site: Site) -> Iterator[Result]:
    name = site.named("TF_VAR_crm_connector_profile", "crm")
    told = site.client("appflow").describe_connector_profiles(connectorProfileNames=[name])
    if not told["connectorProfileDetails"]:
        yield warning(f"There is no connector profile {name} of AppFlow.")


# The bucket


def _bucket(site: Site) -> Iterator[Result]:
    s3 = site.client("s3")
    if _found(s3.head_bucket, "404", "NoSuchBucket", Bucket=site.bucket) is None:
        yield missing(f"There is no bucket {site.bucket}.")
        return
    # S3 has no name for us-east-1, its first region.
    region = s3.get_bucket_location(Bucket=site.bucket).get("LocationConstraint") or "us-east-1"
    if region != site.region:
        yield wrong(f"{site.bucket} is in {region}, and AWS_REGION is {site.region}.")


def _versioning(site: Site) -> Iterator[Result]:
    status = site.client("s3").get_bucket_versioning(Bucket=site.bucket).get("Status", "off")
    if status != "Enabled":
        yield wrong(f"Versioning of {site.bucket} is {status}.")


def _encryption(site: Site) -> Iterator[Result]:
    answer = _found(
        site.client("s3").get_bucket_encryption,
        "ServerSideEncryptionConfigurationNotFoundError",
        Bucket=site.bucket,
    )
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
    used = {rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules}
    if used != {"aws:kms"}:
        yield wrong(f"{site.bucket} is encrypted by {', '.join(sorted(map(str, used))) or 'nothing'}, not by aws:kms.")


def _public_access(site: Site) -> Iterator[Result]:
    answer = _found(
        site.client("s3").get_public_access_block, "NoSuchPublicAccessBlockConfiguration", Bucket=site.bucket
    )
    blocked = answer["PublicAccessBlockConfiguration"] if answer else {}
    for setting in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"):
        if not blocked.get(setting):
            yield wrong(f"{setting} of {site.bucket} is off.")


def _tls_only(site: Site) -> Iterator[Result]:
    answer = _found(site.client("s3").get_bucket_policy, "NoSuchBucketPolicy", Bucket=site.bucket)
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    for statement in statements if isinstance(statements, list) else [statements]:
        insecure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if (
            statement.get("Effect") == "Deny"
            and str(insecure).lower() == "false"
            and statement.get("Action") in ("s3:*", ["s3:*"], "*")
            and statement.get("Principal") in ("*", {"AWS": "*"})
        ):
            return
    yield wrong(f"The policy of {site.bucket} denies no request without TLS.")


def _lifecycle(site: Site) -> Iterator[Result]:
    answer = _found(
        site.client("s3").get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", Bucket=site.bucket
    )
    for rule in answer["Rules"] if answer else []:
        if rule["Status"] != "Enabled":
            continue
        name, prefix = rule.get("ID", "without a name"), _prefix(rule)
        expires = rule.get("Expiration", {})
        days = expires.get("Days", 0 if "Date" in expires else None)
        for folder in ICEBERG:
            if not _overlap(prefix, folder):
                continue
            if days is not None:
                yield wrong(f"The rule {name} removes files under {folder} by age, live ones too.")
            for transition in rule.get("Transitions", []):
                if transition["StorageClass"] in _COLD:
                    yield wrong(f"The rule {name} moves files under {folder} to {transition['StorageClass']}.")
        if days is not None and days < RAW_DAYS and _overlap(prefix, "raw/"):
            yield wrong(f"The rule {name} removes files under raw/ before they are {RAW_DAYS:,} days old.")
        if days is not None and days < LANDING_DAYS and any(_overlap(prefix, folder) for folder in LANDED):
            yield wrong(f"The rule {name} removes deliveries under landing/ before they are {LANDING_DAYS} days old.")


def _prefix(rule: Mapping[str, Any]) -> str:
    """Return what the keys begin with that a rule is about; what else it asks of them is no safeguard."""
    of = rule.get("Filter", {})
    return str(of.get("Prefix") or of.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def _overlap(prefix: str, folder: str) -> bool:
    return prefix.startswith(folder) or folder.startswith(prefix)


def _archived(site: Site) -> Iterator[Result]:
    """Look at the first 1,000 files of each data set and producer: keys begin with the day, so they are the oldest."""
    s3 = site.client("s3")
    for source in load_sources(site.project / "models" / "raw").values():
        folders = [source.external.location]
        if source.has_sources:
            listed = s3.list_objects_v2(Bucket=site.bucket, Prefix=source.external.location, Delimiter="/")
            folders = [each["Prefix"] for each in listed.get("CommonPrefixes", [])]
        cold = [
            entry["Key"]
            for folder in folders
            for entry in s3.list_objects_v2(Bucket=site.bucket, Prefix=folder).get("Contents", [])
            if entry.get("StorageClass") in _COLD
        ]
        if cold:
            yield warning(f"{source.name}: at least {len(cold):,} files, as {cold[0]}.")


def _notification(site: Site) -> Iterator[Result]:
    told = site.client("s3").get_bucket_notification_configuration(Bucket=site.bucket)
    told_of = [
        rule["Value"]
        for queue in told.get("QueueConfigurations", [])
        if "s3:ObjectCreated:*" in queue["Events"]
        for rule in queue.get("Filter", {}).get("Key", {}).get("FilterRules", [{"Name": "prefix", "Value": ""}])
        if rule["Name"].lower() == "prefix"
    ]
    for folder in ("raw/", *LANDED):
        if not any(folder.startswith(prefix) for prefix in told_of) and "EventBridgeConfiguration" not in told:
            yield missing(f"{site.bucket} tells no queue of new objects under {folder}.")


# Athena and the catalog


def _workgroup(site: Site, name: str) -> Mapping[str, Any] | None:
    answer = _found(site.client("athena").get_work_group, "InvalidRequestException", WorkGroup=name)
    found: Mapping[str, Any] | None = answer.get("WorkGroup") if answer else None
    return found


def _analysts(site: Site) -> Iterator[Result]:
    name = site.named("ANALYSTS_WORKGROUP", WORKGROUPS[0])
    workgroup = _workgroup(site, name)
    if workgroup is None:
        yield missing(f"There is no workgroup {name}.")
        return
    settings = workgroup["Configuration"]
    if workgroup.get("State") == "DISABLED":
        yield wrong(f"{name} is disabled.")
    if not settings.get("EnforceWorkGroupConfiguration"):
        yield wrong(f"{name} does not enforce its settings, so a query may pass its limit.")
    if settings.get("BytesScannedCutoffPerQuery") != CUT_OFF:
        yield wrong(f"{name} cuts a query off at {settings.get('BytesScannedCutoffPerQuery')} bytes, not {CUT_OFF}.")
    if not settings.get("PublishCloudWatchMetricsEnabled"):
        yield wrong(f"{name} sends no metrics, so no alarm sees what it scans.")
    if not settings.get("ResultConfiguration", {}).get("EncryptionConfiguration"):
        yield wrong(f"{name} does not encrypt its results.")


def _dbts(site: Site) -> Iterator[Result]:
    name = site.named("DATALAKE_WORKGROUP", WORKGROUPS[1])
    workgroup = _workgroup(site, name)
    if workgroup is None:
        yield missing(f"There is no workgroup {name}.")
        return
    settings = workgroup["Configuration"]
    if workgroup.get("State") == "DISABLED":
        yield wrong(f"{name} is disabled.")
    if settings.get("EnforceWorkGroupConfiguration", True):
        yield wrong(f"{name} enforces its settings, which overrides where tables lie.")
    engine = settings.get("EngineVersion", {}).get("SelectedEngineVersion", "AUTO")
    if engine not in ("AUTO", "Athena engine version 3"):
        yield wrong(f"{name} runs {engine}; Iceberg's merge needs version 3.")


def _databases(site: Site) -> Iterator[Result]:
    for name in DATABASES:
        if _found(site.client("glue").get_database, "EntityNotFoundException", Name=name) is None:
            yield missing(f"There is no database {name}.")


def _table(site: Site, name: str) -> Mapping[str, Any] | None:
    database, _, table = name.partition(".")
    answer = _found(site.client("glue").get_table, "EntityNotFoundException", DatabaseName=database, Name=table)
    found: Mapping[str, Any] | None = answer["Table"] if answer else None
    return found


def _raw_tables(site: Site) -> Iterator[Result]:
    for source in load_sources(site.project / "models" / "raw").values():
        yield from _raw_table(site, source, source.name, source.column_names)
        if source.external.file_format != "parquet":
            yield from _raw_table(site, source, f"{source.name}_lines", ("line",))


def _raw_table(site: Site, source: RawTable, name: str, columns: tuple[str, ...]) -> Iterator[Result]:
    table = _table(site, f"{RAW_DATABASE}.{name}")
    if table is None:
        yield missing(f"There is no table {RAW_DATABASE}.{name}.")
        return
    location = f"s3://{site.bucket}/{source.external.location}"
    keys = tuple(partition.name for partition in source.external.partitions)
    template = location + "".join("${arrived}/" if key == "arrived" else f"{key}=${{{key}}}/" for key in keys)
    storage, parameters = table["StorageDescriptor"], table.get("Parameters", {})
    for what, has, declared in (
        ("columns", _columns(storage.get("Columns", [])), _strings(columns)),
        ("partitions", _columns(table.get("PartitionKeys", [])), _strings(keys)),
        ("location", storage.get("Location", "").rstrip("/") + "/", location),
        ("projection", parameters.get("projection.enabled"), "true"),
        ("folders", parameters.get("storage.location.template"), template),
    ):
        if has != declared:
            yield wrong(f"{RAW_DATABASE}.{name}: its {what} are {has}, and the source YAML says {declared}.")


def _columns(columns: list[Mapping[str, str]]) -> str:
    return ", ".join(f"{column['Name']} {column.get('Type', 'string')}" for column in columns)


def _strings(names: tuple[str, ...]) -> str:
    """Return columns as the source YAML declares them, all as text."""
    return ", ".join(f"{name} string" for name in names)


def _built(site: Site) -> Iterator[Result]:
    absent = [name for name in BUILT if _table(site, name) is None]
    if absent:
        yield warning(f"There is no {' and no '.join(absent)} yet.")


def _customers_open(site: Site) -> Iterator[Result]:
    client = site.client("lakeformation")
    for resource, of in (
        ({"Database": {"Name": "curated_db"}}, "the database curated_db"),
        ({"Table": {"DatabaseName": "curated_db", "Name": "customers"}}, "the table curated_db.customers"),
    ):
        for grant in client.list_permissions(Resource=resource)["PrincipalResourcePermissions"]:
            if grant["Principal"]["DataLakePrincipalIdentifier"] == _EVERYBODY and grant["Permissions"]:
                yield wrong(f"{_EVERYBODY} may {', '.join(grant['Permissions'])} on {of}.")


def _new_tables_open(site: Site) -> Iterator[Result]:
    settings = site.client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
    for setting in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
        for grant in settings.get(setting, []):
            if grant["Principal"]["DataLakePrincipalIdentifier"] == _EVERYBODY and grant["Permissions"]:
                yield wrong(f"{setting} gives what is new to {_EVERYBODY}.")


def _pipeline(site: Site) -> Iterator[Result]:
    account = site.client("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    role = f"arn:{partition}:iam::{account['Account']}:role/{_name(site, 'pipeline')}"
    client = site.client("lakeformation")
    for name in DATABASES:
        grants = client.list_permissions(
            Principal={"DataLakePrincipalIdentifier": role}, Resource={"Database": {"Name": name}}
        )["PrincipalResourcePermissions"]
        granted = {permission for grant in grants for permission in grant["Permissions"]}
        if not granted & {"ALL", "CREATE_TABLE"}:
            yield missing(f"{role} may make no tables in {name}.")


# The chain


def _workflow(site: Site) -> Iterator[Result]:
    name, glue = WORKFLOW, site.client("glue")
    answer = _found(glue.get_workflow, "EntityNotFoundException", Name=name)
    if answer is None:
        yield missing(f"There is no workflow {name}.")
        return
    triggers = [
        trigger
        for page in glue.get_paginator("get_triggers").paginate()
        for trigger in page["Triggers"]
        if trigger.get("WorkflowName") == name
    ]
    if not any(trigger["Type"] == "SCHEDULED" for trigger in triggers):
        yield missing(f"{name} has no trigger that starts it by the clock.")
    for trigger in triggers:
        if trigger["Type"] != "ON_DEMAND" and trigger.get("State") not in ("ACTIVATED", "ACTIVATING"):
            yield wrong(f"The trigger {trigger['Name']} of {name} is {trigger.get('State')}.")
    last = answer["Workflow"].get("LastRun")
    if last is None:
        yield fine(f"{name} has not run yet.")
    elif last.get("Status") == "ERROR" or last.get("Statistics", {}).get("FailedActions"):
        yield warning(f"The last run of {name}, {last.get('WorkflowRunId')}, failed.")


def _jobs(site: Site) -> Iterator[Result]:
    glue = site.client("glue")
    for name in JOBS:
        if _found(glue.get_job, "EntityNotFoundException", JobName=name) is None:
            yield missing(f"There is no job {name}.")
            continue
        runs = glue.get_job_runs(JobName=name, MaxResults=1)["JobRuns"]
        if runs and runs[0]["JobRunState"] in ("FAILED", "TIMEOUT", "ERROR", "EXPIRED"):
            told = runs[0].get("ErrorMessage", "without a reason")
            yield warning(f"The last run of {name}, {runs[0]['Id']}, ended as {runs[0]['JobRunState']}: {told}")


def _crawlers(site: Site) -> Iterator[Result]:
    for name in CRAWLERS:
        answer = _found(site.client("glue").get_crawler, "EntityNotFoundException", Name=name)
        if answer is None:
            yield missing(f"There is no crawler {name}.")
            continue
        crawler = answer["Crawler"]
        policy = crawler.get("SchemaChangePolicy", {})
        if (policy.get("UpdateBehavior"), policy.get("DeleteBehavior")) != ("LOG", "LOG"):
            yield wrong(f"{name} may change tables; what it finds is to be logged only.")
        last = crawler.get("LastCrawl", {})
        if last.get("Status") == "FAILED":
            yield warning(f"The last crawl of {name} failed: {last.get('ErrorMessage', 'without a reason')}")


# What brings files


def _stream(site: Site) -> Iterator[Result]:
    answer = _found(site.client("kinesis").describe_stream_summary, "ResourceNotFoundException", StreamName=STREAM)
    status = answer["StreamDescriptionSummary"]["StreamStatus"] if answer else None
    if status is None:
        yield missing(f"There is no stream {STREAM} of Kinesis.")
    elif status not in ("ACTIVE", "UPDATING"):
        yield wrong(f"The stream {STREAM} of Kinesis is {status}.")


def _delivery(site: Site) -> Iterator[Result]:
    answer = _found(
        site.client("firehose").describe_delivery_stream, "ResourceNotFoundException", DeliveryStreamName=STREAM
    )
    status = answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] if answer else None
    if status is None:
        yield missing(f"There is no stream {STREAM} of Firehose.")
    elif status != "ACTIVE":
        yield wrong(f"The stream {STREAM} of Firehose is {status}.")


def _functions(site: Site) -> Iterator[Result]:
    client = site.client("lambda")
    for function, settings in _SETTINGS.items():
        name = _name(site, function)
        told = _found(client.get_function_configuration, "ResourceNotFoundException", FunctionName=name)
        if told is None:
            yield missing(f"There is no function {name}.")
            continue
        if told.get("State", "Active") not in ("Active", "Inactive", "Pending"):
            yield wrong(f"{name} is {told['State']}: {told.get('StateReason', 'without a reason')}")
        if told.get("LastUpdateStatus") == "Failed":
            yield wrong(f"The last update of {name} failed: {told.get('LastUpdateStatusReason', 'without a reason')}")
        if told.get("Runtime") != f"python{RUNTIME}":
            yield wrong(f"{name} runs on {told.get('Runtime')}; its zip is for python{RUNTIME}.")
        variables = told.get("Environment", {}).get("Variables", {})
        for setting in settings:
            if not variables.get(setting):
                yield missing(f"{name} has no {setting}.")
        if variables.get("RAW_DATA_BUCKET", site.bucket) != site.bucket:
            yield wrong(f"{name} works on {variables['RAW_DATA_BUCKET']}, not on {site.bucket}.")


def _arrivals(site: Site) -> Iterator[Result]:
    name = _name(site, "arrivals")
    sources = site.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    if not sources:
        yield missing(f"No queue feeds {name}.")
    for source in sources:
        if source.get("State") not in ("Enabled", "Enabling", "Creating", "Updating"):
            yield wrong(f"The queue that feeds {name} is {source.get('State')}.")
        if "ReportBatchItemFailures" not in source.get("FunctionResponseTypes", []):
            yield wrong(f"The queue that feeds {name} does not take ReportBatchItemFailures: one file repeats a batch.")


def _dead_letters(site: Site) -> Iterator[Result]:
    name, sqs = _name(site, "arrivals-dead-letters"), site.client("sqs")
    found = _found(sqs.get_queue_url, "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", QueueName=name)
    if found is None:
        yield missing(f"There is no queue {name}.")
        return
    wanted = ["ApproximateNumberOfMessages"]
    told = sqs.get_queue_attributes(QueueUrl=found["QueueUrl"], AttributeNames=wanted)["Attributes"]
    if count := int(told[wanted[0]]):
        yield warning(f"{name} holds {count:,} messages.")


def _secrets(site: Site) -> Iterator[Result]:
    client = site.client("secretsmanager")
    for connection in CONNECTIONS:
        name = f"datalake-{site.environment}/{connection}"
        told = _found(client.describe_secret, "ResourceNotFoundException", SecretId=name)
        if told is None:
            yield missing(f"There is no secret {name}.")
        elif not any("AWSCURRENT" in stages for stages in told.get("VersionIdsToStages", {}).values()):
            yield missing(f"The secret {name} is empty.")


def _replication(site: Site) -> Iterator[Result]:
    name = _name(site, "customers")
    pages = site.client("dms").get_paginator("describe_replication_tasks").paginate()
    tasks = [task for page in pages for task in page["ReplicationTasks"] if task["ReplicationTaskIdentifier"] == name]
    if not tasks:
        yield warning(f"There is no task {name} of DMS, so no customers come.")
    for task in tasks:
        if task["Status"] not in ("running", "starting"):
            yield warning(f"The task {name} of DMS is {task['Status']}.")


def _flows(site: Site) -> Iterator[Result]:
    for dataset in FLOWS:
        name = _name(site, dataset)
        told = _found(site.client("appflow").describe_flow, "ResourceNotFoundException", flowName=name)
        if told is None:
            yield warning(f"There is no flow {name} of AppFlow, so no {dataset} come.")
        elif told["flowStatus"] != "Active":
            yield warning(f"The flow {name} of AppFlow is {told['flowStatus']}.")
        elif told.get("lastRunExecutionDetails", {}).get("mostRecentExecutionStatus") == "Error":
            why = told["lastRunExecutionDetails"].get("mostRecentExecutionMessage", "without a reason")
            yield warning(f"The last run of the flow {name} failed: {why}")


def _mail(site: Site) -> Iterator[Result]:
    identity = site.client("sts").get_caller_identity()
    partition = identity["Arn"].split(":")[1]
    topic = f"arn:{partition}:sns:{site.region}:{identity['Account']}:{_name(site, 'alerts')}"
    told = _found(site.client("sns").list_subscriptions_by_topic, "NotFound", "NotFoundException", TopicArn=topic)
    if told is None:
        yield missing(f"There is no topic {topic}.")
    elif not told["Subscriptions"]:
        yield warning("Nobody gets the alerts.")
    for subscription in told["Subscriptions"] if told else []:
        if subscription["SubscriptionArn"] == "PendingConfirmation":
            yield warning(f"{subscription['Endpoint']} has not confirmed yet.")


_APPLY = "Apply the stack: terraform apply (docs/deploy.md)."

CHECKS = (
    Check(
        "variables",
        "The environment names the lake.",
        "Set it, as docs/deploy.md shows.",
        _variables,
        when=When.always,
    ),
    Check(
        "packages",
        "The packages are those that the project was tested with.",
        "Run it in the project's folder, from its .venv; make build brings that up to date.",
        _packages,
        when=When.always,
    ),
    Check(
        "profile",
        "The profile of dbt has the targets of profiles.yml.example.",
        "Take over what profiles.yml.example has: cp profiles.yml.example profiles.yml.",
        _profile,
        when=When.always,
    ),
    Check(
        "terraform",
        f"Terraform is {TERRAFORM[0]}.{TERRAFORM[1]} or a later {TERRAFORM[0]}.",
        "Install it from https://developer.hashicorp.com/terraform/install.",
        _terraform,
        when=When.before,
    ),
    Check(
        "artifacts",
        "What runs on AWS is built.",
        "Run make dist.",
        _artifacts,
        when=When.before,
    ),
    Check(
        "credentials",
        "You are signed in to AWS.",
        "Sign in (aws sso login), or set AWS_PROFILE; behind a proxy, let it reach sts.",
        _credentials,
        ("sts:GetCallerIdentity",),
        when=When.always,
    ),
    Check(
        "state_bucket",
        "Terraform's state has a bucket that keeps versions.",
        "Make one, as docs/deploy.md shows, and set TERRAFORM_STATE_BUCKET.",
        _state_bucket,
        ("s3:ListBucket", "s3:GetBucketVersioning"),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "bucket_names",
        "The names of the buckets are free, or this account's.",
        "Take another name: local.bucket in terraform/aws/data-lake/locals.tf, and DATALAKE_BUCKET.",
        _free_names,
        ("s3:ListBucket",),
        after=("variables", "credentials"),
        when=When.before,
    ),
    Check(
        "executions",
        "Lambda lets the functions run beside each other.",
        "Ask for more: aws service-quotas request-service-quota-increase --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1000.",
        _executions,
        ("lambda:GetAccountSettings",),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "service_roles",
        "DMS's own roles are free to make.",
        "Set create_dms_service_roles = false, and use those that are there.",
        _service_roles,
        ("iam:GetRole",),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "github_provider",
        "GitHub's OpenID Connect provider is free to make.",
        "Take it over: terraform import aws_iam_openid_connect_provider.github ARN (docs/deploy.md).",
        _github,
        ("iam:ListOpenIDConnectProviders", "iam:GetOpenIDConnectProvider"),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "quicksight",
        "QuickSight knows the account.",
        "Sign up for it in the console (docs/deploy.md), or set enable_quicksight = false.",
        _quicksight,
        ("sts:GetCallerIdentity", "quicksight:DescribeAccountSubscription"),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "crm_profile",
        "AppFlow may sign in to the CRM.",
        "Make the connector profile in the console (docs/deploy.md), or set enable_appflow = false.",
        _crm_profile,
        ("appflow:DescribeConnectorProfiles",),
        after=("credentials",),
        when=When.before,
    ),
    Check(
        "bucket",
        "The lake's bucket is there, in the region.",
        f"{_APPLY} A bucket can't move: set AWS_REGION to where it is.",
        _bucket,
        ("s3:ListBucket", "s3:GetBucketLocation"),
        after=("variables", "credentials"),
    ),
    Check(
        "bucket_versioning",
        "The bucket keeps old versions, so that raw can't be overwritten.",
        _APPLY,
        _versioning,
        ("s3:GetBucketVersioning",),
        after=("bucket",),
    ),
    Check(
        "bucket_encryption",
        "The bucket is encrypted with the lake's key.",
        _APPLY,
        _encryption,
        ("s3:GetEncryptionConfiguration",),
        after=("bucket",),
    ),
    Check(
        "bucket_public_access",
        "Nothing in the bucket can be made public.",
        _APPLY,
        _public_access,
        ("s3:GetBucketPublicAccessBlock",),
        after=("bucket",),
    ),
    Check(
        "bucket_tls",
        "The bucket answers over TLS only.",
        _APPLY,
        _tls_only,
        ("s3:GetBucketPolicy",),
        after=("bucket",),
    ),
    Check(
        "bucket_lifecycle",
        "No rule removes or archives files of Iceberg tables by age, or raw and deliveries too early.",
        "Disable the rule now; rows of Iceberg tables expire by DELETE and VACUUM (docs/operations.md).",
        _lifecycle,
        ("s3:GetLifecycleConfiguration",),
        after=("bucket",),
    ),
    Check(
        "bucket_events",
        "New raw objects and deliveries are told to the queue of arrivals.",
        _APPLY,
        _notification,
        ("s3:GetBucketNotification",),
        after=("bucket",),
    ),
    Check(
        "archived_raw",
        "A full refresh finds every raw file: none is in an archive, which Athena passes over.",
        "Before a full refresh restore them (aws s3api restore-object), or build from the parsed tables.",
        _archived,
        ("s3:ListBucket",),
        after=("bucket",),
    ),
    Check(
        "analysts_workgroup",
        f"The analysts' workgroup enforces its settings and cuts a query off at {CUT_OFF:,} bytes.",
        _APPLY,
        _analysts,
        ("athena:GetWorkGroup",),
        after=("credentials",),
    ),
    Check(
        "dbt_workgroup",
        "dbt's workgroup leaves the tables where dbt puts them.",
        _APPLY,
        _dbts,
        ("athena:GetWorkGroup",),
        after=("credentials",),
    ),
    Check(
        "databases",
        f"The databases {', '.join(DATABASES)} are there.",
        _APPLY,
        _databases,
        ("glue:GetDatabase",),
        after=("credentials",),
    ),
    Check(
        "raw_tables",
        "The raw tables are what models/raw/*.yml declares.",
        f"{_APPLY} In a sandbox: dbt run-operation create_raw_views.",
        _raw_tables,
        ("glue:GetTable",),
        after=("variables", "databases"),
    ),
    Check(
        "new_tables_closed",
        "What is new in the catalog is not open to everybody whom IAM allows.",
        f"{_APPLY} Who applies must be an administrator of Lake Formation.",
        _new_tables_open,
        ("lakeformation:GetDataLakeSettings",),
        after=("credentials",),
    ),
    Check(
        "customers_closed",
        "Lake Formation alone says who reads customers, column by column.",
        f"Revoke it (aws lakeformation revoke-permissions --principal DataLakePrincipalIdentifier={_EVERYBODY}).",
        _customers_open,
        ("lakeformation:ListPermissions",),
        after=("databases",),
    ),
    Check(
        "pipeline_grants",
        "Lake Formation lets the pipeline make tables.",
        _APPLY,
        _pipeline,
        ("sts:GetCallerIdentity", "lakeformation:ListPermissions"),
        after=("variables", "databases"),
    ),
    Check(
        "workflow",
        "The nightly workflow is there, its triggers fire, and its last run went well.",
        f"{_APPLY} A run that failed goes on with datalake run --resume (docs/operations.md).",
        _workflow,
        ("glue:GetWorkflow", "glue:GetTriggers"),
        after=("credentials",),
    ),
    Check(
        "jobs",
        "The jobs of the workflow are there, and their last runs went well.",
        f"{_APPLY} The log of a run that failed is in CloudWatch.",
        _jobs,
        ("glue:GetJob", "glue:GetJobRuns"),
        after=("credentials",),
    ),
    Check(
        "crawlers",
        "The crawlers are there, and change no table.",
        _APPLY,
        _crawlers,
        ("glue:GetCrawler",),
        after=("credentials",),
    ),
    Check(
        "stream",
        "The stream of events takes records.",
        _APPLY,
        _stream,
        ("kinesis:DescribeStreamSummary",),
        after=("credentials",),
    ),
    Check(
        "delivery",
        "Firehose delivers the stream's records.",
        _APPLY,
        _delivery,
        ("firehose:DescribeDeliveryStream",),
        after=("credentials",),
    ),
    Check(
        "functions",
        "The Lambda functions are there, on the runtime and with the settings that they need.",
        "Run make dist, then terraform apply (docs/deploy.md).",
        _functions,
        ("lambda:GetFunctionConfiguration",),
        after=("variables", "credentials"),
    ),
    Check(
        "arrivals",
        "The queue of new objects feeds the function that enters them in the ledger.",
        _APPLY,
        _arrivals,
        ("lambda:ListEventSourceMappings",),
        after=("functions",),
    ),
    Check(
        "dead_letters",
        "Every object that arrived was entered.",
        "See why (docs/operations.md, Events of S3), then redrive the queue; datalake check finds what it can.",
        _dead_letters,
        ("sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
        after=("variables", "credentials"),
    ),
    Check(
        "secrets",
        "The connections have their user and password.",
        "Fill it in: aws secretsmanager put-secret-value (docs/deploy.md).",
        _secrets,
        ("secretsmanager:DescribeSecret",),
        after=("variables", "credentials"),
    ),
    Check(
        "replication",
        "DMS brings the customers.",
        "Start the task (docs/deploy.md); with enable_dms = false there is none.",
        _replication,
        ("dms:DescribeReplicationTasks",),
        after=("variables", "credentials"),
    ),
    Check(
        "flows",
        "AppFlow brings accounts and contacts.",
        "Start the flows (aws appflow start-flow, docs/deploy.md); with enable_appflow = false there are none.",
        _flows,
        ("appflow:DescribeFlow",),
        after=("variables", "credentials"),
    ),
    Check(
        "alerts",
        "Somebody gets the alerts.",
        "Set alert_email and apply; the receiver confirms by the link in the mail.",
        _mail,
        ("sts:GetCallerIdentity", "sns:ListSubscriptionsByTopic"),
        after=("variables", "credentials"),
    ),
    Check(
        "built",
        "dbt has built its tables once.",
        "Build them (dbt build), then apply the stack with lake_is_built = true, which grants on them.",
        _built,
        ("glue:GetTable",),
        after=("databases",),
    ),
)
"""All checks, each after those that it waits for."""
