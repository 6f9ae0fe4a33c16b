"""The HTTP front of the bench, asked by real boto3 clients."""

import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clients import Clients, code_of, error_of

from athena_bench.server import ApiError, Server


def test_registered_operation_answers_instead_of_moto(server: Server, aws: Clients) -> None:
    server.register(
        "AmazonAthena", {"StartQueryExecution": lambda request: {"QueryExecutionId": request["QueryString"]}}
    )
    assert aws.athena.start_query_execution(QueryString="select 1")["QueryExecutionId"] == "select 1"
    assert [group["Name"] for group in aws.athena.list_work_groups()["WorkGroups"]] == ["primary"]


def test_operation_of_lake_formation_is_known_by_its_path(server: Server, aws: Clients) -> None:
    server.register("AWSLakeFormation", {"DescribeResource": lambda request: {"ResourceInfo": request}})
    answer = aws.lake_formation.describe_resource(ResourceArn="arn:aws:s3:::lake")
    assert answer["ResourceInfo"] == {"ResourceArn": "arn:aws:s3:::lake"}


def test_api_error_reaches_the_caller_with_code_message_status_and_fields(server: Server, aws: Clients) -> None:
    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        raise ApiError("InvalidRequestException", "line 1:1: no", AthenaErrorCode="MALFORMED_QUERY")

    server.register("AmazonAthena", {"StartQueryExecution": refuse})
    with pytest.raises(aws.athena.exceptions.InvalidRequestException) as caught:
        aws.athena.start_query_execution(QueryString="no")
    response: Any = caught.value.response
    assert response["Error"]["Message"] == "line 1:1: no"
    assert response["AthenaErrorCode"] == "MALFORMED_QUERY"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_failing_operation_is_an_internal_error_that_is_logged(
    server: Server, aws: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    server.register("AmazonAthena", {"StopQueryExecution": lambda request: {"x": 1 / 0}})
    with pytest.raises(aws.athena.exceptions.InternalServerException, match="division by zero"):
        aws.athena.stop_query_execution(QueryExecutionId="00000000-0000-0000-0000-000000000000")
    assert "AmazonAthena.StopQueryExecution failed" in caplog.text


@pytest.mark.stricter
def test_unknown_operation_is_refused_by_name(aws: Clients) -> None:
    code, message = error_of(aws.glue.get_user_defined_functions, Pattern="*")
    assert code == "UnknownOperationException"
    assert "AWSGlue.GetUserDefinedFunctions" in message
    code, message = error_of(aws.lake_formation.list_transactions)
    assert code == "UnknownOperationException"
    assert "AWSLakeFormation.ListTransactions" in message


def test_unknown_service_is_not_registered(server: Server) -> None:
    with pytest.raises(ValueError, match="AmazonNothing"):
        server.register("AmazonNothing", {})


def test_operation_of_any_other_service_may_be_registered_and_the_rest_stays_with_moto(
    server: Server, aws: Clients
) -> None:
    def list_streams(request: dict[str, Any]) -> dict[str, Any]:
        names = server.forward("Kinesis_20131202.ListStreams", request)["StreamNames"]
        return {"StreamNames": [*names, "registered"], "HasMoreStreams": False}

    server.register("Kinesis_20131202", {"ListStreams": list_streams}, signing_name="kinesis")
    aws.kinesis.create_stream(StreamName="of-moto", ShardCount=1)
    assert aws.kinesis.list_streams()["StreamNames"] == ["of-moto", "registered"]


@pytest.mark.stricter
def test_request_signed_for_another_region_is_refused(server: Server) -> None:
    code, message = error_of(Clients(server, region="eu-west-1").glue.get_databases)
    assert code == "InvalidSignatureException"
    assert "AWS_REGION=us-east-1" in message


def test_operation_can_ask_moto_for_a_changed_request(server: Server, aws: Clients) -> None:
    def create(request: dict[str, Any]) -> dict[str, Any]:
        request["DatabaseInput"]["Description"] = "changed"
        return server.forward("AWSGlue.CreateDatabase", request)

    server.register("AWSGlue", {"CreateDatabase": create})
    aws.glue.create_database(DatabaseInput={"Name": "a"})
    assert aws.glue.get_database(Name="a")["Database"]["Description"] == "changed"
    assert error_of(aws.glue.create_database, DatabaseInput={"Name": "a"})[0] == "AlreadyExistsException"


def test_forward_raises_the_error_of_moto(server: Server) -> None:
    with pytest.raises(ApiError) as caught:
        server.forward("AWSGlue.GetTable", {"DatabaseName": "none", "Name": "none"})
    assert (caught.value.code, caught.value.message) == ("EntityNotFoundException", "Database none not found.")


def test_call_uses_registered_operations_and_moto(server: Server, aws: Clients) -> None:
    server.register("AWSGlue", {"GetTables": lambda request: {"TableList": [request]}})
    aws.glue.create_database(DatabaseInput={"Name": "a"})
    assert server.call("AWSGlue.GetTables", {"DatabaseName": "a"}) == {"TableList": [{"DatabaseName": "a"}]}
    assert server.call("AWSGlue.GetDatabase", {"Name": "a"})["Database"]["Name"] == "a"


def test_catalog_operation_is_atomic_and_may_ask_moto(server: Server, aws: Clients) -> None:
    def count(request: dict[str, Any]) -> dict[str, Any]:
        database = server.forward("AWSGlue.GetDatabase", {"Name": "a"})["Database"]
        number = int(database["Description"]) + 1
        server.forward(
            "AWSGlue.UpdateDatabase", {"Name": "a", "DatabaseInput": {"Name": "a", "Description": str(number)}}
        )
        return {}

    server.register("AWSGlue", {"UpdateDatabase": count})
    aws.glue.create_database(DatabaseInput={"Name": "a", "Description": "0"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: aws.glue.update_database(Name="a", DatabaseInput={"Name": "a"}), range(80)))
    assert aws.glue.get_database(Name="a")["Database"]["Description"] == "80"


def test_operations_of_athena_run_side_by_side(server: Server, aws: Clients) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(request: dict[str, Any]) -> dict[str, Any]:
        both.wait()
        return {"QueryExecutionId": "x"}

    server.register("AmazonAthena", {"StartQueryExecution": meet})
    start = aws.athena.start_query_execution
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda _: start(QueryString="q"), range(2))
    assert [answer["QueryExecutionId"] for answer in answers] == ["x", "x"]


def test_eight_threads_write_list_and_read_objects(aws: Clients) -> None:
    s3, glue = aws.s3, aws.glue
    s3.create_bucket(Bucket="lake")

    def write_and_list(worker: int) -> int:
        for number in range(10):
            key = f"{worker}/day=2024-01-0{number % 9}/é {number}%2F"
            s3.put_object(Bucket="lake", Key=key, Body=f"{worker} {number}".encode())
            assert s3.get_object(Bucket="lake", Key=key)["Body"].read() == f"{worker} {number}".encode()
            s3.list_objects_v2(Bucket="lake")
            glue.get_databases()
        listed = s3.list_objects_v2(Bucket="lake", Prefix=f"{worker}/")
        return len(listed["Contents"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_and_list, range(8))) == [10] * 8


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_listing_never_meets_a_half_removed_object(aws: Clients) -> None:
    aws.s3.create_bucket(Bucket="lake")
    for number in range(100):
        aws.s3.put_object(Bucket="lake", Key=f"stays/{number:03}", Body=b"")

    def come_and_go(thread: int) -> None:
        for number in range(20):
            aws.s3.put_object(Bucket="lake", Key=f"goes/{thread}-{number}", Body=b"")
            aws.s3.delete_object(Bucket="lake", Key=f"goes/{thread}-{number}")

    with ThreadPoolExecutor(8) as pool:
        changes = [pool.submit(come_and_go, thread) for thread in range(4)]
        lists = [pool.submit(aws.s3.list_objects_v2, Bucket="lake", Prefix="stays/") for _ in range(60)]
        assert {found.result()["KeyCount"] for found in lists} == {100}
        for change in changes:
            change.result()


def test_only_one_of_eight_writes_an_object_that_must_be_new(aws: Clients) -> None:
    s3 = aws.s3
    s3.create_bucket(Bucket="lake")
    start = threading.Barrier(8)

    def write(key: str) -> bool:
        start.wait()
        code = code_of(s3.put_object, Bucket="lake", Key=key, Body=b"x" * 2_000_000, IfNoneMatch="*")
        assert code in ("", "PreconditionFailed")
        return code == ""

    with ThreadPoolExecutor(8) as pool:
        for number in range(3):
            assert sum(pool.map(write, [f"commit-{number}"] * 8)) == 1


def test_large_object_is_uploaded_in_parts_and_read_in_ranges(aws: Clients, tmp_path: Any) -> None:
    body = bytes(range(256)) * 80_000
    (tmp_path / "large").write_bytes(body)
    aws.s3.create_bucket(Bucket="lake")
    aws.s3.upload_file(str(tmp_path / "large"), "lake", "large")
    assert aws.s3.head_object(Bucket="lake", Key="large")["ContentLength"] == len(body)
    part = aws.s3.get_object(Bucket="lake", Key="large", Range="bytes=10000000-10000999")["Body"].read()
    assert part == body[10_000_000:10_001_000]
    assert aws.s3.get_object(Bucket="lake", Key="large")["Body"].read() == body


def test_upload_that_breaks_off_leaves_no_object(server: Server, aws: Clients) -> None:
    aws.s3.create_bucket(Bucket="lake")
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(b"PUT /lake/half HTTP/1.1\r\nHost: bench\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert aws.s3.list_objects_v2(Bucket="lake")["KeyCount"] == 0


def test_connection_stays_open_between_requests(server: Server) -> None:
    request = (
        b"POST / HTTP/1.1\r\nHost: bench\r\nX-Amz-Target: AWSGlue.GetDatabases\r\n"
        b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}"
    )
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        answers = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(request)
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert answers.read(length) == b'{"DatabaseList": []}'


def test_stopped_server_hangs_up_and_frees_its_port() -> None:
    before = set(threading.enumerate())
    server = Server().start()
    clients = Clients(server)
    clients.glue.get_databases()  # leaves a connection open
    server.stop()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), timeout=10)
    assert set(threading.enumerate()) <= before
    with Server(port=server.port) as again:
        assert again.url == server.url
        assert clients.glue.get_databases()["DatabaseList"] == []


def test_port_that_is_taken_is_an_error(server: Server) -> None:
    with pytest.raises(OSError, match="in use"):
        Server(port=server.port).start()


@pytest.mark.parametrize("by_http", [False, True])
def test_reset_forgets_what_moto_and_operations_keep(server: Server, aws: Clients, by_http: bool) -> None:
    kept = ["a query"]
    server.register("AmazonAthena", {}, reset=kept.clear)
    aws.s3.create_bucket(Bucket="lake")
    aws.glue.create_database(DatabaseInput={"Name": "a"})
    if by_http:
        with socket.create_connection((server.host, server.port), timeout=10) as connection:
            connection.sendall(b"POST /moto-api/reset HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
    else:
        server.reset()
    assert kept == []
    assert aws.s3.list_buckets()["Buckets"] == []
    assert aws.glue.get_databases()["DatabaseList"] == []
