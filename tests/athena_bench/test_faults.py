"""Faults on demand, met by real boto3 clients."""

from __future__ import annotations

import time
from typing import Any

import pytest
from clients import Clients, code_of

from athena_bench.faults import FaultError
from athena_bench.server import Server


def test_calls_are_throttled_as_often_as_asked(server: Server, aws: Clients) -> None:
    server.faults.add("throttle:AmazonAthena.ListWorkGroups:2, throttle:AWSGlue.*")
    codes = [code_of(aws.athena.list_work_groups) for _ in range(3)]
    assert codes == ["TooManyRequestsException", "TooManyRequestsException", ""]
    assert [code_of(aws.glue.get_databases) for _ in range(2)] == ["ThrottlingException", ""]


def test_storage_asks_to_slow_down(server: Server, aws: Clients) -> None:
    aws.s3.create_bucket(Bucket="one")
    server.faults.add("throttle:S3.PUT,error:S3.GET")
    put: Any = {"Bucket": "one", "Key": "a", "Body": b"1"}
    assert [code_of(aws.s3.put_object, **put) for _ in range(2)] == ["SlowDown", ""]
    assert code_of(aws.s3.get_object, Bucket="one", Key="a") == "InternalError"
    assert aws.s3.get_object(Bucket="one", Key="a")["Body"].read() == b"1"


def test_call_that_fails_inside_is_an_error_of_the_service(server: Server, aws: Clients) -> None:
    server.faults.add("error:AWSGlue.GetDatabases")
    assert code_of(aws.glue.get_databases) == "InternalServerException"
    assert code_of(aws.glue.get_databases) == ""


def test_lost_answer_is_that_of_a_write_that_is_done(server: Server, aws: Clients) -> None:
    server.faults.add("lost:AWSGlue.CreateDatabase")
    with pytest.raises(Exception, match=r"Connection was closed|Connection aborted|closed before"):
        aws.glue.create_database(DatabaseInput={"Name": "made"})
    assert aws.glue.get_database(Name="made")["Database"]["Name"] == "made"


def test_slow_answer_comes_later(server: Server, aws: Clients) -> None:
    server.faults.add("slow:AWSGlue.GetDatabases")
    begin = time.monotonic()
    aws.glue.get_databases()
    assert time.monotonic() - begin >= 2


def test_request_names_its_own_fault(server: Server, aws: Clients) -> None:
    fault = ["throttle"]

    def add_header(request: Any, **_: object) -> None:
        request.headers["x-athena-bench-fault"] = fault[0]

    aws.glue.meta.events.register("before-send", add_header)
    assert code_of(aws.glue.get_databases) == "ThrottlingException"
    assert code_of(Clients(server).glue.get_databases) == ""


def test_reset_lets_no_fault_come(server: Server, aws: Clients) -> None:
    server.faults.add("throttle:AWSGlue.*:9")
    server.reset()
    assert code_of(aws.glue.get_databases) == ""


@pytest.mark.parametrize("text", ["nonsense:AWSGlue.*", "throttle", "throttle:AWSGlue.*:often"])
def test_what_is_no_fault_is_refused_by_name(server: Server, text: str) -> None:
    with pytest.raises(FaultError, match=text.partition(":")[0]):
        server.faults.add(text)
