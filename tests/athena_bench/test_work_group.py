"""The workgroups of the bench, asked by a real boto3 client."""

from typing import Any

import pytest
from clients import Clients, code_of

from athena_bench import work_group
from athena_bench.server import Server


@pytest.fixture
def server(server: Server) -> Server:
    work_group.register(server)
    return server


def configuration_of(aws: Clients, name: str) -> Any:
    return aws.athena.get_work_group(WorkGroup=name)["WorkGroup"].get("Configuration")


def test_work_group_is_changed_in_part(aws: Clients) -> None:
    aws.athena.create_work_group(
        Name="dbt",
        Description="before",
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://a/", "ExpectedBucketOwner": "123456789012"},
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
    )
    aws.athena.update_work_group(
        WorkGroup="dbt",
        Description="after",
        ConfigurationUpdates={
            "ResultConfigurationUpdates": {"OutputLocation": "s3://b/", "RemoveExpectedBucketOwner": True},
            "RemoveBytesScannedCutoffPerQuery": True,
            "EnforceWorkGroupConfiguration": False,
        },
    )
    group = aws.athena.get_work_group(WorkGroup="dbt")["WorkGroup"]
    configuration: Any = group.get("Configuration")
    assert (group.get("Description"), group.get("State")) == ("after", "ENABLED")
    assert configuration["ResultConfiguration"] == {"OutputLocation": "s3://b/"}
    assert "BytesScannedCutoffPerQuery" not in configuration
    assert configuration["EnforceWorkGroupConfiguration"] is False
    assert configuration["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"


def test_work_group_is_disabled_and_its_cut_off_set(aws: Clients) -> None:
    updates: Any = {"BytesScannedCutoffPerQuery": 20_000_000}
    aws.athena.update_work_group(WorkGroup="primary", State="DISABLED", ConfigurationUpdates=updates)
    assert aws.athena.get_work_group(WorkGroup="primary")["WorkGroup"].get("State") == "DISABLED"
    assert configuration_of(aws, "primary")["BytesScannedCutoffPerQuery"] == 20_000_000


def test_work_group_that_is_not_there_is_refused(aws: Clients) -> None:
    assert code_of(aws.athena.update_work_group, WorkGroup="none") == "InvalidRequestException"
    assert code_of(aws.athena.get_work_group, WorkGroup="none") == "InvalidRequestException"


def test_work_group_that_is_not_empty_is_deleted_only_with_what_is_in_it(aws: Clients) -> None:
    for name in ("asked", "named"):
        aws.athena.create_work_group(Name=name)
    aws.athena.start_query_execution(QueryString="select 1", WorkGroup="asked")
    aws.athena.create_named_query(Name="one", Database="d", QueryString="select 1", WorkGroup="named")
    for name in ("asked", "named"):
        assert code_of(aws.athena.delete_work_group, WorkGroup=name) == "InvalidRequestException"
        aws.athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
        assert code_of(aws.athena.get_work_group, WorkGroup=name) == "InvalidRequestException"
    aws.athena.create_work_group(Name="new")
    aws.athena.delete_work_group(WorkGroup="new")
    assert code_of(aws.athena.delete_work_group, WorkGroup="new") == "InvalidRequestException"


def test_named_query_is_gone_once_it_is_deleted(aws: Clients) -> None:
    made = aws.athena.create_named_query(Name="one", Database="d", QueryString="select 1")["NamedQueryId"]
    kept = aws.athena.create_named_query(Name="two", Database="d", QueryString="select 2")["NamedQueryId"]
    aws.athena.delete_named_query(NamedQueryId=made)
    assert aws.athena.list_named_queries()["NamedQueryIds"] == [kept]
    assert code_of(aws.athena.get_named_query, NamedQueryId=made) == "InvalidRequestException"
    assert code_of(aws.athena.delete_named_query, NamedQueryId=made) == "InvalidRequestException"
    assert aws.athena.get_named_query(NamedQueryId=kept)["NamedQuery"]["QueryString"] == "select 2"
