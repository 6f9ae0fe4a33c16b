"""Connections and rulesets of the bench's Glue, asked by a real boto3 client."""

from typing import Any

import pytest
from clients import Clients, code_of

from athena_bench import connections
from athena_bench.rulesets import Rulesets
from athena_bench.server import Server

JDBC: Any = {
    "Name": "rds",
    "ConnectionType": "JDBC",
    "ConnectionProperties": {"SECRET_ID": "rds"},
    "PhysicalConnectionRequirements": {"SubnetId": "subnet-1"},
}


@pytest.fixture
def server(server: Server) -> Server:
    connections.register(server)
    Rulesets(server)
    return server


def test_connection_has_all_that_was_given(aws: Clients) -> None:
    aws.glue.create_connection(ConnectionInput=JDBC)
    connection = aws.glue.get_connection(Name="rds")["Connection"]
    assert JDBC.items() <= connection.items()


def test_connection_is_changed_and_removed(aws: Clients) -> None:
    aws.glue.create_connection(ConnectionInput=JDBC)
    aws.glue.update_connection(Name="rds", ConnectionInput=JDBC | {"Description": "orders"})
    assert aws.glue.get_connection(Name="rds")["Connection"]["Description"] == "orders"
    aws.glue.delete_connection(ConnectionName="rds")
    assert code_of(aws.glue.get_connection, Name="rds") == "EntityNotFoundException"
    assert code_of(aws.glue.delete_connection, ConnectionName="rds") == "EntityNotFoundException"


def test_ruleset_is_made_changed_and_removed(aws: Clients) -> None:
    target: Any = {"DatabaseName": "curated_db", "TableName": "orders"}
    aws.glue.create_data_quality_ruleset(
        Name="orders", Ruleset="Rules = [ RowCount > 1 ]", TargetTable=target, Tags={"owner": "shop"}
    )
    assert code_of(aws.glue.create_data_quality_ruleset, Name="orders", Ruleset="Rules") == "AlreadyExistsException"
    assert aws.glue.get_data_quality_ruleset(Name="orders")["TargetTable"] == target

    aws.glue.update_data_quality_ruleset(Name="orders", Ruleset="Rules = [ RowCount > 2 ]")
    assert aws.glue.get_data_quality_ruleset(Name="orders")["Ruleset"] == "Rules = [ RowCount > 2 ]"
    assert [found["Name"] for found in aws.glue.list_data_quality_rulesets()["Rulesets"]] == ["orders"]
    arn = "arn:aws:glue:us-east-1:123456789012:dataQualityRuleset/orders"
    assert aws.glue.get_tags(ResourceArn=arn)["Tags"] == {"owner": "shop"}

    aws.glue.delete_data_quality_ruleset(Name="orders")
    assert code_of(aws.glue.get_data_quality_ruleset, Name="orders") == "EntityNotFoundException"
