"""Every figure that is required of the infrastructure is in the plan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from stack import Plan

LIFECYCLE = "aws_s3_bucket_lifecycle_configuration.lake"
FIREHOSE = "aws_kinesis_firehose_delivery_stream.events"
DELIVERY = "extended_s3_configuration[0]"
ALARM = "aws_cloudwatch_metric_alarm"
ANALYSTS = "aws_athena_workgroup.analysts"
MADE_OF = f"{DELIVERY}.data_format_conversion_configuration[0]"
SIDE_BY_SIDE = ("customers", "events", "products", "users")


@dataclass(frozen=True)
class Figure:
    """What is required of one argument.

    Attributes:
        name: the sentence.
        address: of the resource.
        path: to the argument: `rule[id=raw].expiration[0].days` picks the rule whose id is raw.
        value: what must be there.
    """

    name: str
    address: str
    path: str
    value: Any


def look(values: Any, path: str) -> Any:
    """The value at a path; an error where the path leads nowhere."""
    for step in re.findall(r"\[[^\]]+\]|[^.\[]+", path):
        if not step.startswith("["):
            values = values[step]
        elif "=" in step:
            key, _, wanted = step[1:-1].partition("=")
            (values,) = (value for value in values if str(value[key]) == wanted)
        else:
            values = values[int(step[1:-1])]
    return values


def transition(rule: str, storage_class: str) -> str:
    return f"rule[id={rule}].transition[storage_class={storage_class}].days"


def trigger(name: str) -> str:
    return f"aws_glue_trigger.{name}"


FIGURES = [
    # Storage classes and retention
    Figure("raw is tiered at 30 days", LIFECYCLE, transition("raw", "INTELLIGENT_TIERING"), 30),
    Figure("raw is archived at 180 days", LIFECYCLE, transition("raw", "GLACIER"), 180),
    Figure("raw expires at 2555 days", LIFECYCLE, "rule[id=raw].expiration[0].days", 2555),
    Figure("raw is a prefix of its own", LIFECYCLE, "rule[id=raw].filter[0].prefix", "raw/"),
    Figure("analytics is tiered at 90 days", LIFECYCLE, transition("analytics", "INTELLIGENT_TIERING"), 90),
    Figure("no file of analytics expires by age", LIFECYCLE, "rule[id=analytics].expiration", []),
    Figure("files of a sandbox go at 30 days", LIFECYCLE, "rule[id=sandbox-files].expiration[0].days", 30),
    Figure("files are in sandbox/user/", LIFECYCLE, "rule[id=sandbox-files].filter[0].prefix", "sandbox/"),
    Figure("tables of a sandbox go at 30 days", LIFECYCLE, "rule[id=sandbox-tables].expiration[0].days", 30),
    Figure("errors of Firehose go at 90 days", LIFECYCLE, "rule[id=errors-of-firehose].expiration[0].days", 90),
    Figure(
        "errors are under errors/events/", LIFECYCLE, "rule[id=errors-of-firehose].filter[0].prefix", "errors/events/"
    ),
    Figure(
        "broken uploads are cleaned up",
        LIFECYCLE,
        "rule[id=leftovers].abort_incomplete_multipart_upload[0].days_after_initiation",
        7,
    ),
    Figure(
        "old versions are cleaned up",
        LIFECYCLE,
        "rule[id=leftovers].noncurrent_version_expiration[0].noncurrent_days",
        30,
    ),
    Figure("deliveries outlive their events", LIFECYCLE, "rule[id=landing].expiration[0].days", 30),
    Figure("deliveries are under landing/", LIFECYCLE, "rule[id=landing].filter[0].prefix", "landing/"),
    # Zones
    Figure("one bucket an environment", "aws_s3_bucket.lake", "bucket", "company-datalake-ci"),
    Figure("raw_db is a database", 'aws_glue_catalog_database.zone["raw_db"]', "name", "raw_db"),
    Figure("curated_db is a database", 'aws_glue_catalog_database.zone["curated_db"]', "name", "curated_db"),
    Figure("analytics_db is a database", 'aws_glue_catalog_database.zone["analytics_db"]', "name", "analytics_db"),
    # Query layer and cost
    Figure("analysts have a workgroup", ANALYSTS, "name", "analytics-team"),
    Figure("a query is cut off at 10 GiB", ANALYSTS, "configuration[0].bytes_scanned_cutoff_per_query", 10_737_418_240),
    Figure("its settings are enforced", ANALYSTS, "configuration[0].enforce_workgroup_configuration", True),
    Figure("its metrics are on", ANALYSTS, "configuration[0].publish_cloudwatch_metrics_enabled", True),
    Figure(
        "results lie under athena-results/",
        ANALYSTS,
        "configuration[0].result_configuration[0].output_location",
        "s3://company-datalake-ci-results/athena-results/",
    ),
    Figure(
        "results are encrypted by SSE_S3",
        ANALYSTS,
        "configuration[0].result_configuration[0].encryption_configuration[0].encryption_option",
        "SSE_S3",
    ),
    Figure("dbt has a workgroup of its own", "aws_athena_workgroup.dbt", "name", "datalake-dbt"),
    Figure(
        "dbt's workgroup is not enforced",
        "aws_athena_workgroup.dbt",
        "configuration[0].enforce_workgroup_configuration",
        False,
    ),
    # Firehose
    Figure("Kinesis has the stream", "aws_kinesis_stream.events", "name", "events-stream"),
    Figure("Firehose has the stream", FIREHOSE, "name", "events-stream"),
    Figure("Firehose delivers at 128 MB", FIREHOSE, f"{DELIVERY}.buffering_size", 128),
    Figure("Firehose delivers after 300 s", FIREHOSE, f"{DELIVERY}.buffering_interval", 300),
    Figure(
        "events lie in the raw layout",
        FIREHOSE,
        f"{DELIVERY}.prefix",
        "raw/events/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
    ),
    Figure(
        "errors of events lie by type and day",
        FIREHOSE,
        f"{DELIVERY}.error_output_prefix",
        "errors/events/!{firehose:error-output-type}/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/",
    ),
    Figure("events are converted", FIREHOSE, f"{MADE_OF}.enabled", True),
    Figure(
        "events are read by OpenX",
        FIREHOSE,
        f"{MADE_OF}.input_format_configuration[0].deserializer[0].open_x_json_ser_de[0].case_insensitive",
        True,
    ),
    Figure(
        "events become Parquet with Snappy",
        FIREHOSE,
        f"{MADE_OF}.output_format_configuration[0].serializer[0].parquet_ser_de[0].compression",
        "SNAPPY",
    ),
    Figure("the stream itself is not packed", FIREHOSE, f"{DELIVERY}.compression_format", "UNCOMPRESSED"),
    # DMS
    Figure(
        "customers come whole, then by change",
        "aws_dms_replication_task.customers[0]",
        "migration_type",
        "full-load-and-cdc",
    ),
    Figure("customers come as Parquet", "aws_dms_s3_endpoint.landing[0]", "data_format", "parquet"),
    Figure("a full load has Op too", "aws_dms_s3_endpoint.landing[0]", "include_op_for_full_load", True),
    Figure("a change has its commit time", "aws_dms_s3_endpoint.landing[0]", "timestamp_column_name", "commit_ts"),
    # The daily run
    Figure("the run begins at 02:00 UTC", trigger("begin"), "schedule", "cron(0 2 * * ? *)"),
    Figure("it begins with raw partitions", trigger("begin"), "actions[0].crawler_name", "raw-zone-crawler"),
    Figure(
        "orders wait for the crawler", trigger("orders"), "predicate[0].conditions[0].crawler_name", "raw-zone-crawler"
    ),
    Figure("orders come first", trigger("orders"), "actions[0].job_name", "datalake-orders"),
    Figure(
        "the rest waits for orders", trigger("beside_orders"), "predicate[0].conditions[0].job_name", "datalake-orders"
    ),
    *(
        Figure(
            f"{name} run beside the others",
            trigger("beside_orders"),
            f"actions[job_name=datalake-{name}].crawler_name",
            None,
        )
        for name in SIDE_BY_SIDE
    ),
    *(
        Figure(
            f"metrics wait for {name}",
            trigger("metrics"),
            f"predicate[0].conditions[job_name=datalake-{name}].state",
            "SUCCEEDED",
        )
        for name in SIDE_BY_SIDE
    ),
    Figure("metrics wait for all of them", trigger("metrics"), "predicate[0].logical", "AND"),
    Figure("metrics come then", trigger("metrics"), "actions[0].job_name", "datalake-metrics"),
    Figure(
        "the catalog waits for metrics", trigger("catalog"), "predicate[0].conditions[0].job_name", "datalake-metrics"
    ),
    Figure("the catalog comes last", trigger("catalog"), "actions[0].crawler_name", "curated-zone-crawler"),
    Figure("jobs run on Glue 5", 'aws_glue_job.stage["datalake-orders"]', "glue_version", "5.0"),
    Figure(
        "a job's metrics are on", 'aws_glue_job.stage["datalake-orders"]', "default_arguments.--enable-metrics", "true"
    ),
    Figure(
        "a job logs while it runs",
        'aws_glue_job.stage["datalake-orders"]',
        "default_arguments.--enable-continuous-cloudwatch-log",
        "true",
    ),
    *(
        Figure(
            f"the {zone} crawler {does} no table",
            f'aws_glue_crawler.zone["{zone}-zone-crawler"]',
            f"schema_change_policy[0].{behavior}",
            "LOG",
        )
        for zone in ("raw", "curated")
        for does, behavior in (("changes", "update_behavior"), ("drops", "delete_behavior"))
    ),
    # Governance
    *(
        Figure(f"{name} is a JDBC connection", f'aws_glue_connection.warehouse["{name}"]', "connection_type", "JDBC")
        for name in ("rds-production", "redshift-warehouse")
    ),
    # Monitoring
    *(
        Figure(
            f"an alarm at 1 TB that {group} scans", f'{ALARM}.alert["athena_scanned_bytes-{group}"]', "threshold", 2**40
        )
        for group in ("analytics-team", "datalake-dbt")
    ),
    Figure(
        "an alarm at 1 % errors of S3", f'{ALARM}.alert["s3_request_errors-company-datalake-ci"]', "threshold", 0.01
    ),
    Figure(
        "an alarm below 99 % deliveries", f'{ALARM}.alert["firehose_delivery_success-events-stream"]', "threshold", 0.99
    ),
    Figure(
        "below, not above",
        f'{ALARM}.alert["firehose_delivery_success-events-stream"]',
        "comparison_operator",
        "LessThanThreshold",
    ),
    Figure("an alarm beyond the DPU hours", f'{ALARM}.measured["glue_dpu_hours-all-jobs"]', "threshold", 10),
    *(
        Figure(
            f"an alarm at twice the duration of {name}",
            f'{ALARM}.measured["glue_job_duration-datalake-{name}"]',
            "threshold",
            2,
        )
        for name in ("orders", *SIDE_BY_SIDE, "metrics")
    ),
]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_figure_is_in_the_plan(planned: Plan, figure: Figure) -> None:
    assert look(planned.resources[figure.address], figure.path) == figure.value


def test_daily_run_has_no_other_steps(planned: Plan) -> None:
    triggers = {address for address in planned.resources if address.startswith("aws_glue_trigger.")}
    assert triggers == {trigger(name) for name in ("begin", "orders", "beside_orders", "metrics", "catalog")}
    assert len(planned.resources[trigger("beside_orders")]["actions"]) == len(SIDE_BY_SIDE)


def test_nothing_but_leftovers_expires_everywhere(planned: Plan) -> None:
    rules = planned.resources[LIFECYCLE]["rule"]
    assert [rule["id"] for rule in rules if not rule["filter"][0]["prefix"]] == ["leftovers"]
    (leftovers,) = (rule for rule in rules if rule["id"] == "leftovers")
    assert leftovers["expiration"][0]["expired_object_delete_marker"]
    assert not leftovers["expiration"][0]["days"]


def test_rules_of_orders_have_the_required_thresholds(planned: Plan) -> None:
    ruleset = planned.resources["aws_glue_data_quality_ruleset.orders"]["ruleset"]
    assert [line.strip(" ,") for line in ruleset.splitlines()[1:-1]] == [
        'IsComplete "order_id"',
        'ColumnValues "total" > 0',
        'ColumnValues "order_date" matches "[0-9]{4}-[0-9]{2}-[0-9]{2}"',
        'Completeness "customer_id" > 0.99',
        'Uniqueness "order_id" > 0.9999',
        "RowCount > 1000",
    ]


def test_logs_are_kept_for_a_year(planned: Plan) -> None:
    kept = {
        address: values["retention_in_days"]
        for address, values in planned.resources.items()
        if address.startswith("aws_cloudwatch_log_group.")
    }
    assert kept
    assert set(kept.values()) == {365}
