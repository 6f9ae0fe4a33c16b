"""Who can read personal data is exactly who is listed here, computed from policies and grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from access import Access
from stack import Applied
from terraform_cli import PROJECT

PREFIX = "datalake-ci-"
FILES = "arn:aws:s3:::company-datalake-ci/"

# Why each can: the pipeline builds the lake, Lake Formation lends the folders to whom it grants, crawlers look at
# files, arrivals enters files in the ledger, the API looks whether a batch has landed already (S3 has no smaller right
# for that), an engineer mends what was rejected.
READS_FILES = {
    "raw": {"api", "arrivals", "crawler", "engineer", "lake-formation", "pipeline"},
    "curated_db": {"crawler", "lake-formation", "pipeline"},
    "analytics_db": {"lake-formation", "pipeline"},
    "landing": {"arrivals", "dms-target", "pipeline"},
    "errors": {"engineer", "pipeline"},
    "rejects": {"pipeline"},
    "query-results": {"arrivals", "engineer", "pipeline"},
}
READS_COLUMNS = {
    "raw_db": {"crawler", "engineer", "pipeline"},
    "curated_db": {"arrivals", "crawler", "engineer", "pipeline"},
    "analytics_db": {"engineer", "pipeline"},
}


def personal_columns() -> Iterator[tuple[str, str, str]]:
    """Each column that the project's YAML tags as personal: database, table and column."""
    for file in sorted((PROJECT / "models").rglob("*.yml")):
        declared = yaml.safe_load(file.read_text("utf-8"))
        sources = [table for source in declared.get("sources", []) for table in source["tables"]]
        for table in [*declared.get("models", []), *sources]:
            for column in table.get("columns", []):
                if column.get("config", {}).get("meta", {}).get("pii"):
                    yield f"{zone_of(file)}_db", table["name"], column["name"]


def zone_of(file: Path) -> str:
    return file.relative_to(PROJECT / "models").parts[0]


PERSONAL = list(personal_columns())


@pytest.fixture(scope="module", params=[False, True], ids=["before dbt has built", "when dbt has built"])
def access(request: pytest.FixtureRequest, applied: Applied) -> Access:
    return Access((applied.built if request.param else applied.whole).resources)


def short(names: set[str]) -> set[str]:
    return {name.removeprefix(PREFIX) for name in names}


def test_personal_columns_are_the_customers_and_more() -> None:
    assert {("raw_db", "customers", name) for name in ("email", "phone", "address")} < set(PERSONAL)
    assert {("curated_db", "customers", name) for name in ("email", "phone", "address")} < set(PERSONAL)


@pytest.mark.parametrize("folder", READS_FILES)
def test_files_are_read_by_those_listed_alone(access: Access, folder: str) -> None:
    assert short(access.who_may("s3:GetObject", f"{FILES}{folder}/customers/part.parquet")) == READS_FILES[folder]


@pytest.mark.parametrize(("database", "table", "column"), PERSONAL, ids=".".join)
def test_personal_column_is_granted_to_those_listed_alone(
    access: Access, database: str, table: str, column: str
) -> None:
    assert short(access.who_is_granted(database, table, column)) == READS_COLUMNS[database]


@pytest.mark.parametrize("table", ["orders_lines", "users_lines"])
def test_lines_as_they_arrived_are_granted_to_those_listed_alone(access: Access, table: str) -> None:
    assert short(access.who_is_granted("raw_db", table, "line")) == READS_COLUMNS["raw_db"]


def test_analysts_read_of_customers_what_they_may(applied: Applied) -> None:
    access = Access(applied.built.resources)
    columns = [
        column["name"]
        for model in yaml.safe_load((PROJECT / "models/curated/customers.yml").read_text("utf-8"))["models"]
        if model["name"] == "customers"
        for column in model["columns"]
    ]
    for role in ("analyst", "api"):
        read = {name for name in columns if role in short(access.who_is_granted("curated_db", "customers", name))}
        assert read == {"customer_id", "segment", "region"}
        assert role in short(access.who_is_granted("curated_db", "orders", "total"))


def test_nobody_reads_by_the_default_of_iam(applied: Applied) -> None:
    resources = applied.built.resources
    settings = resources["aws_lakeformation_data_lake_settings.lake"]
    assert not settings["create_database_default_permissions"]
    assert not settings["create_table_default_permissions"]
    assert short({arn.rpartition("/")[2] for arn in settings["admins"]}) == {"deployer"}
    grants = [values for address, values in resources.items() if address.startswith("aws_lakeformation_permissions.")]
    assert {"IAM_ALLOWED_PRINCIPALS"} & {grant["principal"] for grant in grants} == set()


def test_deployer_reads_no_file_of_a_table(access: Access) -> None:
    for folder in ("raw", "curated_db", "analytics_db"):
        assert "deployer" not in short(access.who_may("s3:GetObject", f"{FILES}{folder}/x"))
    assert "deployer" in short(access.who_may("s3:GetObject", f"{FILES}artifacts/x"))


# How it is computed


def test_access_is_computed_within_boundaries_and_denials() -> None:
    def policy(*found: tuple[str, str, str]) -> str:
        return json.dumps({"Statement": [{"Effect": e, "Action": a, "Resource": r} for e, a, r in found]})

    roles = {
        "reader": [("Allow", "s3:Get*", "*")],
        "denied": [("Allow", "s3:GetObject", "*"), ("Deny", "s3:*", "lake/raw/*")],
        "elsewhere": [("Allow", "s3:GetObject", "lake/site/*")],
    }
    access = Access(
        {
            "aws_iam_policy.boundary": {"arn": "b", "policy": policy(("Allow", "s3:GetObject", "lake/raw/*"))},
            **{
                f"aws_iam_role.{name}": {
                    "name": name,
                    "arn": name,
                    "permissions_boundary": "b" if name == "reader" else "",
                }
                for name in roles
            },
            **{
                f"aws_iam_role_policy.{name}": {"role": name, "policy": policy(*found)} for name, found in roles.items()
            },
        }
    )
    assert access.who_may("s3:GetObject", "lake/raw/x") == {"reader"}
    assert access.who_may("s3:GetObject", "lake/site/x") == {"denied", "elsewhere"}


@pytest.mark.parametrize(
    ("grant", "reads"),
    [
        ({"table": [{"database_name": "d", "name": "t"}]}, True),
        ({"table": [{"database_name": "d", "wildcard": True}]}, True),
        ({"table": [{"database_name": "d", "name": "other"}]}, False),
        ({"table_with_columns": [{"database_name": "d", "name": "t", "column_names": ["c"]}]}, True),
        ({"table_with_columns": [{"database_name": "d", "name": "t", "column_names": ["other"]}]}, False),
        (
            {"table_with_columns": [
                {"database_name": "d", "name": "t", "wildcard": True, "excluded_column_names": ["c"]}
            ]},
            False,
        ),
        ({"lf_tag_policy": [{"resource_type": "TABLE"}]}, True),
    ],
)  # fmt: skip
def test_grants_are_read_in_each_of_their_forms(grant: dict[str, Any], reads: bool) -> None:
    access = Access({"aws_lakeformation_permissions.x": {"principal": "p", "permissions": ["SELECT"], **grant}})
    assert access.who_is_granted("d", "t", "c") == ({"p"} if reads else set())
