"""The stack is applied on the emulator, the lake works on what is made, and all of it can be removed."""

from __future__ import annotations

import re
from typing import Any

from stack import NOT_MADE, NOT_TOLD_BACK, Applied, Plan

from athena_bench.bench import Bench


def test_list_names_only_what_the_stack_has(planned: Plan) -> None:
    types = {block.split(".")[0] for block in planned.needs}
    assert {*NOT_MADE, *NOT_TOLD_BACK} - types == set()


def test_everything_is_made_but_what_the_list_names(applied: Applied, planned: Plan) -> None:
    left_out = {re.sub(r"\[.*", "", address) for address in planned.resources if address not in applied.state}
    assert {block.split(".")[0] for block in left_out} == set(NOT_MADE)


def test_second_plan_changes_nothing(applied: Applied) -> None:
    assert applied.stack.plan(targets=applied.targets).changes == {}


def test_destroy_leaves_nothing(applied: Applied, emulator: Bench) -> None:
    s3 = emulator.client("s3")
    buckets = [values["bucket"] for address, values in applied.state.items() if address.startswith("aws_s3_bucket.")]
    for bucket in buckets:  # or what empties one would be logged in another
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    for bucket in buckets:
        empty(s3, bucket)
    applied.stack.apply(applied.stack.plan("-destroy"))
    assert applied.stack.state() == {}


def empty(s3: Any, bucket: str) -> None:
    """Remove every version of every object; a bucket that holds something is not destroyed."""
    s3.delete_bucket_policy(Bucket=bucket)  # raw/ is append-only
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
