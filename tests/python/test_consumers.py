"""Who reads the lake: each consumer that is deployed is an exposure, and reads what it says, nothing personal."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb
import sqlglot
import yaml
from lakes import PROJECT
from sqlglot import exp

STACK = PROJECT / "terraform" / "aws" / "data-lake"
TERRAFORM = (STACK / "consumption.tf").read_text()
STAR_ORDERS = (STACK / "files" / "star_orders.sql").read_text()
EXPOSURES: dict[str, dict[str, Any]] = {
    exposure["config"]["meta"]["resource"]: exposure
    for exposure in yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text())["exposures"]
}
MODELS: dict[str, dict[str, Any]] = {
    model["name"]: model
    for file in (PROJECT / "models" / "analytics").rglob("*.yml")
    for model in yaml.safe_load(file.read_text())["models"]
}


def read_by(resource: str) -> set[str]:
    return {node.removeprefix("ref('").removesuffix("')") for node in EXPOSURES[resource]["depends_on"]}


def tables_of(sql: str) -> set[str]:
    return {table.name for table in sqlglot.parse_one(sql, dialect="athena").find_all(exp.Table)}


def has_personal_data(model: dict[str, Any]) -> bool:
    return any(column.get("config", {}).get("meta", {}).get("pii") for column in model["columns"])


def test_every_consumer_of_the_stack_is_an_exposure_with_owner_and_description() -> None:
    """What answers a person: the analysts' workgroup, a schema, a data set, a notebook."""
    answering = ("aws_redshiftdata_statement", "aws_quicksight_data_set", "aws_sagemaker_notebook_instance")
    deployed = re.findall(rf'^resource "({"|".join(answering)})" "(\w+)"', TERRAFORM, re.MULTILINE)
    assert set(EXPOSURES) == {"aws_athena_workgroup.analysts", *map(".".join, deployed)}
    assert {kind for kind, _ in deployed} == set(answering)
    for exposure in EXPOSURES.values():
        assert exposure["owner"]["name"]
        assert len(exposure["description"]) > 20


def test_every_switch_of_a_consumer_has_an_exposure() -> None:
    switches = set(re.findall(r"var\.enable_(\w+)", TERRAFORM))
    assert switches == {"redshift", "quicksight", "notebook"}
    for switch in switches:
        assert [resource for resource in EXPOSURES if switch in resource], switch


def test_redshift_reads_every_analytics_table_without_personal_data() -> None:
    assert read_by("aws_redshiftdata_statement.analytics") == {
        name for name, model in MODELS.items() if not has_personal_data(model)
    }
    assert [name for name, model in MODELS.items() if has_personal_data(model)] == ["quality_results"]


def test_data_set_of_quicksight_has_the_columns_of_its_query_and_reads_what_its_exposure_says() -> None:
    """On the tables that the models' contracts describe; as QuickSight's types."""
    declared = TERRAFORM.split("star_orders_columns = {")[1].split("}")[0]
    columns = dict(re.findall(r'(\w+) += "(\w+)"', declared))
    tables = tables_of(STAR_ORDERS)
    assert tables == read_by("aws_quicksight_data_set.star_orders")
    with duckdb.connect() as connection:
        connection.execute("create schema analytics_db")
        for table in tables:
            types = ", ".join(f"{column['name']} {column['data_type']}" for column in MODELS[table]["columns"])
            connection.execute(f"create table analytics_db.{table} ({types})")
        found = connection.execute(f"describe {STAR_ORDERS}").fetchall()
    assert {name: quicksight_type(type_) for name, type_, *_ in found} == columns


def quicksight_type(type_: str) -> str:
    types = {"VARCHAR": "STRING", "DATE": "DATETIME", "TIMESTAMP": "DATETIME", "INTEGER": "INTEGER"}
    return types.get(type_) or ("DECIMAL" if type_.startswith("DECIMAL") else type_)


def test_notebook_reads_what_its_exposure_says_and_holds_no_answers() -> None:
    """Answers in a notebook would be data in the repository."""
    cells = json.loads((PROJECT / "notebooks" / "analytics.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    queries = re.findall(r'ask\("""(.*?)"""\)', "".join("".join(cell["source"]) for cell in code), re.DOTALL)
    assert len(queries) == 3
    assert set().union(*map(tables_of, queries)) == read_by("aws_sagemaker_notebook_instance.analytics")
