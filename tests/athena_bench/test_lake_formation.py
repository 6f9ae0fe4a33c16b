"""Lake Formation of the bench, asked as dbt-athena asks it."""

from typing import Any

import pytest
from clients import Clients, code_of

from athena_bench.glue import Glue
from athena_bench.lake_formation import LakeFormation
from athena_bench.server import Server

ACCOUNT = "123456789012"
DATABASE: Any = {"Database": {"Name": "curated"}}
TABLE: Any = {"Table": {"DatabaseName": "curated", "Name": "orders"}}
PRINCIPAL: Any = {"DataLakePrincipalIdentifier": f"arn:aws:iam::{ACCOUNT}:role/analyst"}
FILTER: Any = {"TableCatalogId": ACCOUNT, "DatabaseName": "curated", "TableName": "orders", "Name": "mine"}


@pytest.fixture
def server(server: Server) -> Server:
    Glue(server, LakeFormation(server).forget)
    return server


@pytest.fixture
def aws(aws: Clients) -> Clients:
    aws.glue.create_database(DatabaseInput={"Name": "curated"})
    aws.glue.create_table(DatabaseName="curated", TableInput={"Name": "orders"})
    for key in ("domain", "level"):
        aws.lake_formation.create_lf_tag(TagKey=key, TagValues=["a", "b"])
    return aws


def add_tags(aws: Clients, resource: Any, **tags: str) -> list[Any]:
    pairs: Any = [{"TagKey": key, "TagValues": [value]} for key, value in tags.items()]
    return list(aws.lake_formation.add_lf_tags_to_resource(Resource=resource, LFTags=pairs)["Failures"])


def tags_of(aws: Clients, resource: Any, **options: Any) -> dict[str, Any]:
    """The tags in an answer, each key with its only value."""

    def plain(pairs: Any) -> dict[str, str]:
        return {pair["TagKey"]: pair["TagValues"][0] for pair in pairs}

    answer: Any = aws.lake_formation.get_resource_lf_tags(Resource=resource, **options)
    return {
        "database": plain(answer.get("LFTagOnDatabase", [])),
        "table": plain(answer.get("LFTagsOnTable", [])),
        "columns": {column["Name"]: plain(column["LFTags"]) for column in answer.get("LFTagsOnColumns", [])},
    }


def columns(*names: str) -> Any:
    return {"TableWithColumns": {"DatabaseName": "curated", "Name": "orders", "ColumnNames": list(names)}}


def add_filter(aws: Clients, expression: str) -> None:
    data: Any = {**FILTER, "RowFilter": {"FilterExpression": expression}, "ColumnNames": ["id"]}
    aws.lake_formation.create_data_cells_filter(TableData=data)


def filters_of(aws: Clients) -> dict[str, str]:
    table: Any = {"CatalogId": ACCOUNT, "DatabaseName": "curated", "Name": "orders"}
    kept = aws.lake_formation.list_data_cells_filter(Table=table)["DataCellsFilters"]
    return {one["Name"]: one.get("RowFilter", {}).get("FilterExpression", "") for one in kept}


def granted(aws: Clients, **request: Any) -> list[tuple[str, list[str], list[str]]]:
    answer = aws.lake_formation.list_permissions(**request)["PrincipalResourcePermissions"]
    return [
        (
            one.get("Principal", {}).get("DataLakePrincipalIdentifier", ""),
            list(one.get("Permissions", [])),
            list(one.get("PermissionsWithGrantOption", [])),
        )
        for one in answer
    ]


def test_resource_without_tags_has_none(aws: Clients) -> None:
    assert tags_of(aws, TABLE) == {"database": {}, "table": {}, "columns": {}}


def test_tags_add_up_on_database_table_and_columns(aws: Clients) -> None:
    assert add_tags(aws, DATABASE, domain="a") == []
    assert add_tags(aws, TABLE, level="a") == []
    assert add_tags(aws, columns("id", "amount"), level="b") == []
    assert add_tags(aws, columns("id"), domain="b") == []
    assert tags_of(aws, DATABASE)["database"] == {"domain": "a"}
    assert tags_of(aws, TABLE) == {
        "database": {"domain": "a"},
        "table": {"domain": "a", "level": "a"},
        "columns": {"amount": {"level": "b"}, "id": {"level": "b", "domain": "b"}},
    }
    assert tags_of(aws, TABLE, ShowAssignedLFTags=True)["table"] == {"level": "a"}
    assert tags_of(aws, columns("amount"))["columns"] == {"amount": {"level": "b"}}


def test_tag_that_does_not_exist_fails_and_nothing_is_added(aws: Clients) -> None:
    failures = add_tags(aws, TABLE, domain="a", colour="red")
    assert [(one["LFTag"]["TagKey"], one["Error"]["ErrorCode"]) for one in failures] == [
        ("colour", "EntityNotFoundException")
    ]
    assert [one["LFTag"]["TagKey"] for one in add_tags(aws, TABLE, domain="unknown value")] == ["domain"]
    assert tags_of(aws, TABLE)["table"] == {}


def test_tags_are_removed(aws: Clients) -> None:
    add_tags(aws, TABLE, domain="a", level="a")
    add_tags(aws, columns("id"), level="b")
    lake_formation = aws.lake_formation
    answer = lake_formation.remove_lf_tags_from_resource(
        Resource=TABLE, LFTags=[{"TagKey": "level", "TagValues": ["a"]}]
    )
    assert answer["Failures"] == []
    lake_formation.delete_lf_tag(TagKey="domain")
    assert tags_of(aws, TABLE) == {"database": {}, "table": {}, "columns": {"id": {"level": "b"}}}


def test_grants_add_up_and_are_revoked(aws: Clients) -> None:
    grant: Any = {"Principal": PRINCIPAL, "Resource": TABLE}
    aws.lake_formation.grant_permissions(**grant, Permissions=["SELECT"], PermissionsWithGrantOption=["SELECT"])
    aws.lake_formation.grant_permissions(**grant, Permissions=["INSERT"])
    analyst = PRINCIPAL["DataLakePrincipalIdentifier"]
    assert granted(aws, Resource=TABLE) == [(analyst, ["INSERT", "SELECT"], ["SELECT"])]
    aws.lake_formation.revoke_permissions(**grant, Permissions=["SELECT"], PermissionsWithGrantOption=["SELECT"])
    assert granted(aws, Principal=PRINCIPAL, Resource=TABLE) == [(analyst, ["INSERT"], [])]
    aws.lake_formation.revoke_permissions(**grant, Permissions=["INSERT"])
    assert granted(aws) == []
    code = code_of(aws.lake_formation.revoke_permissions, **grant, Permissions=["INSERT"])
    assert code == "InvalidInputException"


def test_grants_are_listed_by_resource_and_its_kind(aws: Clients) -> None:
    tag: Any = {"LFTag": {"TagKey": "domain", "TagValues": ["a"]}}
    grants: Any = [(DATABASE, "DESCRIBE"), (TABLE, "SELECT"), (tag, "ASSOCIATE")]
    for resource, permission in grants:
        aws.lake_formation.grant_permissions(Principal=PRINCIPAL, Resource=resource, Permissions=[permission])
    assert [permissions for _, permissions, _ in granted(aws, Resource=DATABASE)] == [["DESCRIBE"]]
    assert [permissions for _, permissions, _ in granted(aws, ResourceType="TABLE")] == [["SELECT"]]
    assert len(granted(aws)) == 3
    with_catalog = {"Table": {"CatalogId": ACCOUNT, **TABLE["Table"]}}
    assert [permissions for _, permissions, _ in granted(aws, Resource=with_catalog)] == [["SELECT"]]


def test_filters_are_created_changed_listed_and_deleted(aws: Clients) -> None:
    assert filters_of(aws) == {}
    add_filter(aws, "region = 'north'")
    assert filters_of(aws) == {"mine": "region = 'north'"}
    changed: Any = {**FILTER, "RowFilter": {"FilterExpression": "true"}, "ColumnNames": ["id"]}
    before = aws.lake_formation.get_data_cells_filter(**FILTER)["DataCellsFilter"]
    aws.lake_formation.update_data_cells_filter(TableData=changed)
    after = aws.lake_formation.get_data_cells_filter(**FILTER)["DataCellsFilter"]
    assert filters_of(aws) == {"mine": "true"}
    assert after.get("ColumnNames") == ["id"]
    assert before.get("VersionId") != after.get("VersionId")
    assert code_of(aws.lake_formation.create_data_cells_filter, TableData=changed) == "AlreadyExistsException"
    aws.lake_formation.delete_data_cells_filter(**FILTER)
    assert filters_of(aws) == {}
    for call, request in (
        (aws.lake_formation.delete_data_cells_filter, FILTER),
        (aws.lake_formation.get_data_cells_filter, FILTER),
        (aws.lake_formation.update_data_cells_filter, {"TableData": changed}),
    ):
        assert code_of(call, **request) == "EntityNotFoundException"


def test_filter_is_granted_in_a_batch_and_its_grants_go_with_it(aws: Clients) -> None:
    add_filter(aws, "true")
    resource: Any = {"DataCellsFilter": FILTER}
    entry: Any = {"Id": "0", "Principal": PRINCIPAL, "Resource": resource, "Permissions": ["SELECT"]}
    assert aws.lake_formation.batch_grant_permissions(CatalogId=ACCOUNT, Entries=[entry])["Failures"] == []
    assert granted(aws, Resource=resource) == [(PRINCIPAL["DataLakePrincipalIdentifier"], ["SELECT"], [])]
    assert aws.lake_formation.batch_revoke_permissions(CatalogId=ACCOUNT, Entries=[entry])["Failures"] == []
    assert granted(aws, Resource=resource) == []
    failures = aws.lake_formation.batch_revoke_permissions(CatalogId=ACCOUNT, Entries=[entry])["Failures"]
    assert [one.get("RequestEntry", {}).get("Id") for one in failures] == ["0"]
    aws.lake_formation.batch_grant_permissions(CatalogId=ACCOUNT, Entries=[entry])
    aws.lake_formation.delete_data_cells_filter(**FILTER)
    assert granted(aws) == []


@pytest.mark.parametrize("how", ["table", "database", "reset"])
def test_what_is_kept_of_a_table_goes_with_it(server: Server, aws: Clients, how: str) -> None:
    add_tags(aws, TABLE, level="a")
    add_tags(aws, columns("id"), level="b")
    add_filter(aws, "true")
    resources: Any = [TABLE, columns("id"), {"DataCellsFilter": FILTER}]
    for resource in resources:
        aws.lake_formation.grant_permissions(Principal=PRINCIPAL, Resource=resource, Permissions=["SELECT"])
    if how == "table":
        aws.glue.delete_table(DatabaseName="curated", Name="orders")
    elif how == "database":
        aws.glue.delete_database(Name="curated")
    else:
        server.reset()
    assert tags_of(aws, TABLE) == {"database": {}, "table": {}, "columns": {}}
    assert filters_of(aws) == {}
    assert granted(aws) == []


def test_what_is_kept_of_other_tables_stays(aws: Clients) -> None:
    aws.glue.create_table(DatabaseName="curated", TableInput={"Name": "other"})
    add_tags(aws, DATABASE, domain="a")
    add_tags(aws, TABLE, level="a")
    for resource in (DATABASE, TABLE):
        aws.lake_formation.grant_permissions(Principal=PRINCIPAL, Resource=resource, Permissions=["DROP"])
    aws.glue.delete_table(DatabaseName="curated", Name="other")
    assert tags_of(aws, TABLE)["table"] == {"domain": "a", "level": "a"}
    assert len(granted(aws)) == 2
    aws.glue.delete_table(DatabaseName="curated", Name="orders")
    assert [permissions for _, permissions, _ in granted(aws)] == [["DROP"]]
