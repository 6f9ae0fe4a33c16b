"""An account as the stack leaves it, in moto; each part has a function, so that a test makes only what it looks at."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from lakes import PROJECT

from datalake.catalog import RAW_DATABASE
from datalake.needs import CONNECTIONS, CRAWLERS, CUT_OFF, DATABASES, JOBS, LANDED, WORKFLOW
from datalake.sources import load_sources

REGION = "us-east-1"
ACCOUNT = "123456789012"
BUCKET = "company-datalake-prod"
NAME = "datalake-prod"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-pipeline"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts"
SETTINGS = {
    "RAW_DATA_BUCKET": BUCKET,
    "PROCESSED_DATA_BUCKET": BUCKET,
    "GLUE_DATABASE": "curated_db",
    "ATHENA_RESULTS_BUCKET": f"{BUCKET}-results",
    "WATCHED_JOBS": ",".join(JOBS),
}

ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("appflow", "DescribeConnectorProfiles"): {"connectorProfileDetails": [{"connectorProfileName": "crm"}]},
    ("appflow", "DescribeFlow"): {"flowStatus": "Active"},
    ("lambda", "GetAccountSettings"): {"AccountLimit": {"ConcurrentExecutions": 1000}},
    ("quicksight", "DescribeAccountSubscription"): {"AccountInfo": {}},
}
"""What an account answers, by service and operation, that moto does not know; an `Error` is raised."""


@cache
def client(service: str) -> Any:
    """Return boto3's client; one is enough, since moto takes what any sends."""
    create: Any = boto3.client
    return create(service, region_name=REGION)


def deploy_bucket() -> None:
    s3 = client("s3")
    make_bucket()
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put_encryption("aws:kms")
    put_public_access()
    put_policy(s3_policy())
    put_lifecycle(
        rule("raw", "raw/", Expiration={"Days": 2555}, Transitions=[{"Days": 180, "StorageClass": "GLACIER"}]),
        rule("analytics", "analytics_db/", Transitions=[{"Days": 90, "StorageClass": "INTELLIGENT_TIERING"}]),
        rule("sandbox", "sandbox/", Expiration={"Days": 30}),
        rule("old", "", NoncurrentVersionExpiration={"NoncurrentDays": 30}),
    )
    arn = make_queue()
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"QueueConfigurations": [events(arn, folder) for folder in ("raw/", *LANDED)]},
    )


def make_queue() -> str:
    """Make the queue of arrivals, and return its ARN."""
    queue = client("sqs").create_queue(QueueName=f"{NAME}-arrivals")["QueueUrl"]
    told = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(told["Attributes"]["QueueArn"])


def events(queue: str, prefix: str) -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": prefix}]
    return {"QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}


def make_bucket() -> None:
    client("s3").create_bucket(Bucket=BUCKET)


def put_encryption(algorithm: str) -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
    client("s3").put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})


def put_public_access(**settings: bool) -> None:
    blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    client("s3").put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=blocked | settings)


def s3_policy(**statement: Any) -> dict[str, Any]:
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [denial | statement]}


def put_policy(policy: Mapping[str, Any]) -> None:
    client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def rule(name: str, prefix: str, status: str = "Enabled", **more: Any) -> dict[str, Any]:
    return {"ID": name, "Status": status, "Filter": {"Prefix": prefix}, **more}


def put_lifecycle(*rules: Mapping[str, Any]) -> None:
    client("s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})


def deploy_workgroups() -> None:
    put_analysts()
    put_dbts()


def put_analysts(**settings: Any) -> None:
    put_workgroup(
        "analytics-team",
        {
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": True,
            "BytesScannedCutoffPerQuery": CUT_OFF,
            "ResultConfiguration": {
                "OutputLocation": f"s3://{BUCKET}-results/athena-results/",
                "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
        }
        | settings,
    )


def put_dbts(**settings: Any) -> None:
    put_workgroup("datalake-dbt", {"EnforceWorkGroupConfiguration": False} | settings)


def put_workgroup(name: str, settings: Mapping[str, Any]) -> None:
    athena = client("athena")
    if any(each["Name"] == name for each in athena.list_work_groups()["WorkGroups"]):
        athena.delete_work_group(WorkGroup=name)
    athena.create_work_group(Name=name, Configuration=settings)


def deploy_databases() -> None:
    for name in DATABASES:
        client("glue").create_database(DatabaseInput={"Name": name})


def deploy_raw_tables() -> None:
    deploy_databases()
    for source in load_sources(PROJECT / "models" / "raw").values():
        location = f"s3://{BUCKET}/{source.external.location}"
        folders = "".join(
            "${arrived}/" if key.name == "arrived" else f"{key.name}=${{{key.name}}}/"
            for key in source.external.partitions
        )
        for name, columns in ((source.name, source.column_names), (f"{source.name}_lines", ("line",))):
            if name == source.name or source.external.file_format != "parquet":
                client("glue").create_table(
                    DatabaseName=RAW_DATABASE,
                    TableInput={
                        "Name": name,
                        "StorageDescriptor": {
                            "Columns": [{"Name": column, "Type": "string"} for column in columns],
                            "Location": location,
                        },
                        "PartitionKeys": [{"Name": key.name, "Type": "string"} for key in source.external.partitions],
                        "Parameters": {
                            "projection.enabled": "true",
                            "storage.location.template": location + folders,
                        },
                    },
                )


def alter_raw_table(name: str, **changes: Any) -> None:
    """Change a raw table: columns, keys, location or parameters."""
    table = client("glue").get_table(DatabaseName=RAW_DATABASE, Name=name)["Table"]
    wanted = {key: table[key] for key in ("Name", "StorageDescriptor", "PartitionKeys", "Parameters")}
    wanted["StorageDescriptor"] |= {key: value for key, value in changes.items() if key in ("Columns", "Location")}
    wanted |= {key: value for key, value in changes.items() if key == "PartitionKeys"}
    wanted["Parameters"] |= changes.get("Parameters", {})
    client("glue").update_table(DatabaseName=RAW_DATABASE, TableInput=wanted)


def build() -> None:
    """Make the tables that dbt makes, as far as a look goes at them."""
    for database, table in (("curated_db", "orders"), ("analytics_db", "fct_orders")):
        client("glue").create_table(DatabaseName=database, TableInput={"Name": table})


def deploy_lake_formation() -> None:
    put_new_tables()
    for name in DATABASES:
        grant(ROLE, {"Database": {"Name": name}}, "CREATE_TABLE", "DESCRIBE")


def put_new_tables(**settings: Any) -> None:
    closed: dict[str, Any] = {"CreateDatabaseDefaultPermissions": [], "CreateTableDefaultPermissions": []}
    client("lakeformation").put_data_lake_settings(DataLakeSettings=closed | settings)


def grant(to: str, resource: Mapping[str, Any], *permissions: str) -> None:
    client("lakeformation").grant_permissions(
        Principal={"DataLakePrincipalIdentifier": to}, Resource=resource, Permissions=permissions
    )


def deploy_workflow(activate: bool = True) -> None:
    glue = client("glue")
    glue.create_workflow(Name=WORKFLOW)
    deploy_jobs()
    glue.create_trigger(
        Name=f"{WORKFLOW}-begin",
        WorkflowName=WORKFLOW,
        Type="SCHEDULED",
        Schedule="cron(0 2 * * ? *)",
        Actions=[{"CrawlerName": "raw-zone-crawler"}],
        StartOnCreation=activate,
    )


def deploy_jobs() -> None:
    for name in JOBS:
        put_job(name)


def put_job(name: str) -> None:
    client("glue").create_job(
        Name=name, Role="role", Command={"Name": "pythonshell", "ScriptLocation": "s3://bucket/job.py"}
    )


def deploy_crawlers() -> None:
    client("glue").create_database(DatabaseInput={"Name": "crawled"})
    for name in CRAWLERS:
        put_crawler(name)


def put_crawler(name: str, **policy: str) -> None:
    client("glue").create_crawler(
        Name=name,
        Role="role",
        DatabaseName="crawled",
        Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/raw/"}]},
        SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"} | policy,
    )


def deploy_stream() -> None:
    client("kinesis").create_stream(StreamName="events-stream", ShardCount=1)


def deploy_delivery() -> None:
    client("firehose").create_delivery_stream(
        DeliveryStreamName="events-stream",
        ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{BUCKET}"},
    )


def deploy_functions(runtime: str = "python3.13", **settings: str) -> None:
    client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument="{}", Path="/")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("datalake/handler.py", "")
    for function in ("api", "arrivals", "watch"):
        client("lambda").create_function(
            FunctionName=f"{NAME}-{function}",
            Runtime=runtime,
            Role=f"arn:aws:iam::{ACCOUNT}:role/functions",
            Handler="datalake.handler.handle",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {key: value for key, value in (SETTINGS | settings).items() if value}},
        )


def feed_arrivals(**settings: Any) -> None:
    deploy_functions()
    arn = make_queue()
    client("lambda").create_event_source_mapping(
        FunctionName=f"{NAME}-arrivals",
        EventSourceArn=arn,
        **{"Enabled": True, "FunctionResponseTypes": ["ReportBatchItemFailures"]} | settings,
    )


def deploy_dead_letters() -> None:
    client("sqs").create_queue(QueueName=f"{NAME}-arrivals-dead-letters")


def deploy_secrets(*filled: str) -> None:
    for name in CONNECTIONS:
        secret = {"SecretString": "{}"} if name in filled else {}
        client("secretsmanager").create_secret(Name=f"{NAME}/{name}", **secret)


def deploy_replication() -> str:
    """Make the task of DMS, and return its ARN."""
    made = client("dms").create_replication_task(
        ReplicationTaskIdentifier=f"{NAME}-customers",
        SourceEndpointArn="arn:aws:dms:us-east-1:123456789012:endpoint:source",
        TargetEndpointArn="arn:aws:dms:us-east-1:123456789012:endpoint:target",
        ReplicationInstanceArn="arn:aws:dms:us-east-1:123456789012:rep:instance",
        MigrationType="full-load-and-cdc",
        TableMappings="{}",
    )
    return str(made["ReplicationTask"]["ReplicationTaskArn"])


def start_replication() -> None:
    client("dms").start_replication_task(
        ReplicationTaskArn=deploy_replication(), StartReplicationTaskType="start-replication"
    )


def deploy_alerts(*receivers: str) -> None:
    client("sns").create_topic(Name=f"{NAME}-alerts")
    for receiver in receivers:
        client("sns").subscribe(TopicArn=TOPIC, Protocol="email", Endpoint=receiver)


def deploy_all() -> None:
    """Make all of it, as it is once the lake is built."""
    deploy_bucket()
    deploy_workgroups()
    deploy_raw_tables()
    build()
    deploy_lake_formation()
    deploy_workflow()
    deploy_crawlers()
    deploy_stream()
    deploy_delivery()
    feed_arrivals()
    deploy_dead_letters()
    deploy_secrets(*CONNECTIONS)
    start_replication()
    deploy_alerts("lake@example.com")
