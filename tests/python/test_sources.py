"""Reading what the source YAML declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from lakes import PROJECT

from datalake.errors import DeclarationError
from datalake.sources import load_sources

ORDERS = """
version: 2
sources:
  - name: raw_db
    tables:
      - name: orders
        external:
          location: raw/orders/
          file_format: json
          partitions: [{name: arrived, data_type: string}]
        columns:
          - {name: order_id, data_type: string}
          - {name: email, data_type: string, config: {meta: {pii: true, optional: true}}}
"""


def declared(folder: Path, *, replace: str = "", by: str = "") -> Path:
    """Write the declaration with one place of it changed."""
    assert replace in ORDERS
    file = folder / "orders.yml"
    file.write_text(ORDERS.replace(replace, by) if replace else ORDERS, encoding="utf-8")
    return file


def test_raw_tables_of_the_project_are_read() -> None:
    tables = load_sources(PROJECT / "models" / "raw")
    formats = {name: table.external.file_format for name, table in tables.items()}
    assert (
        formats.items()
        >= {
            "orders": "json",
            "users": "json",
            "products": "csv",
            "customers": "parquet",
            "events": "parquet",
            "api_events": "json",
        }.items()
    )
    assert all(table.external.location == f"raw/{name}/" for name, table in tables.items())
    assert [partition.name for partition in tables["api_events"].external.partitions] == ["source", "arrived"]


def test_columns_keep_the_order_declared() -> None:
    products = load_sources(PROJECT / "models" / "raw")["products"]
    assert products.column_names == ("product_id", "name", "category", "department", "brand", "price", "updated_at")


def test_what_is_told_of_a_column_is_read(tmp_path: Path) -> None:
    declared(tmp_path)
    order_id, email = load_sources(tmp_path)["orders"].columns
    assert (order_id.config.meta.pii, order_id.config.meta.optional) == (False, False)
    assert (email.config.meta.pii, email.config.meta.optional) == (True, True)


def test_tables_of_several_files_are_read_together(tmp_path: Path) -> None:
    declared(tmp_path)
    (tmp_path / "users.yml").write_text(ORDERS.replace("orders", "users"), encoding="utf-8")
    (tmp_path / "empty.yml").write_text("", encoding="utf-8")
    (tmp_path / "note.txt").write_text("no YAML: [", encoding="utf-8")
    assert list(load_sources(tmp_path)) == ["orders", "users"]


def test_table_without_files_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "ledger.yml").write_text("sources: [{name: ledger, tables: [{name: raw_files}]}]", encoding="utf-8")
    assert load_sources(tmp_path) == {}


def test_folder_without_declarations_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"No source YAML in .*Run the command in the dbt project") as refused:
        load_sources(tmp_path / "models")
    assert str(tmp_path / "models") in str(refused.value)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    file = declared(tmp_path, replace="[{name: arrived, data_type: string}]", by="[{name: arrived")
    with pytest.raises(DeclarationError, match="is not YAML") as refused:
        load_sources(tmp_path)
    assert str(file) in str(refused.value)
    assert f"line {ORDERS[: ORDERS.index('columns:')].count(chr(10)) + 1}," in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [b"- orders\n", b"orders\n", "sources: []  # gr\u00f6\u00dfe\n".encode("latin-1")],
    ids=["list", "text", "not_utf8"],
)
def test_yaml_that_declares_nothing_readable_is_named(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "orders.yml").write_bytes(body)
    with pytest.raises(DeclarationError) as refused:
        load_sources(tmp_path)
    assert str(tmp_path / "orders.yml") in str(refused.value)


EXTERNAL = ORDERS[ORDERS.index("        external:") : ORDERS.index("        columns:")]


@pytest.mark.parametrize(
    ("replace", "by", "place"),
    [
        (EXTERNAL, "        external:\n", "external"),
        ("          location: raw/orders/\n", "", "external.location"),
        ("          file_format: json\n", "", "external.file_format"),
        ("          partitions: [{name: arrived, data_type: string}]\n", "", "external.partitions"),
        ("location: raw/orders/", "location: raw/orders", "external.location"),
        ("location: raw/orders/", "location: s3://bucket/raw/orders/", "external.location"),
        ("file_format: json", "file_format: avro", "external.file_format"),
        ("{name: order_id, data_type: string}", "{name: order_id, data_type: int}", "columns.0.data_type"),
        ("{name: order_id, data_type: string}", "{name: order_id}", "columns.0.data_type"),
        (ORDERS[ORDERS.index("          - {name: order_id") :], "          []\n", "columns"),
    ],
    ids=[
        "empty_external",
        "no_location",
        "no_format",
        "no_partitions",
        "location_without_slash",
        "location_elsewhere",
        "unknown_format",
        "type_that_is_not_string",
        "no_type",
        "no_columns",
    ],
)
def test_declaration_that_is_not_whole_is_named_with_file_table_and_place(
    tmp_path: Path, replace: str, by: str, place: str
) -> None:
    file = declared(tmp_path, replace=replace, by=by)
    with pytest.raises(DeclarationError) as refused:
        load_sources(tmp_path)
    assert str(refused.value).startswith(f"{file}: table orders: {place}: ")
