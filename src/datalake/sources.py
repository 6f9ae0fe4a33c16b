"""The declaration of the raw tables: the source YAML files under `models/raw/`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datalake.errors import DeclarationError

FileFormat = Literal["json", "csv", "parquet"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ColumnMeta(_Part):
    """What is told of a column beside its type: whether it is personal, whether files may lack it."""

    pii: bool = False
    optional: bool = False


class ColumnConfig(_Part):
    """A column's `config:` block."""

    meta: ColumnMeta = ColumnMeta()


class Column(_Part):
    """A column as the files hold it; every scalar arrives as text."""

    name: str
    data_type: Literal["string"]
    config: ColumnConfig = ColumnConfig()


class Partition(_Part):
    """A column that the path holds."""

    name: str
    data_type: Literal["string"]


class External(_Part):
    """The `external:` block: where the files are and what they hold."""

    location: str = Field(pattern=r"^raw/[a-z][a-z0-9_]*/$")
    file_format: FileFormat
    partitions: tuple[Partition, ...]


class RawTable(_Part):
    """One raw table."""

    name: str
    external: External
    columns: tuple[Column, ...] = Field(min_length=1)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that the files hold, in the order declared (for CSV, the order of the header)."""
        return tuple(column.name for column in self.columns)

    @property
    def has_sources(self) -> bool:
        """Whether it has several producers, each with a folder `source={source}/` of its own."""
        return any(partition.name == "source" for partition in self.external.partitions)


def load_sources(folder: Path) -> dict[str, RawTable]:
    """Return the raw tables by name, from every `*.yml` under `folder`.

    Raises:
        DeclarationError: no file, YAML that can't be read, or a table whose declaration isn't whole.
    """
    import yaml  # a cold start that reads no sources has no use for it

    tables: dict[str, RawTable] = {}
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise DeclarationError(f"No source YAML in {folder}. Run the command in the dbt project's folder.")
    for file in files:
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise DeclarationError(f"{file} is not YAML: {error}") from error
        except UnicodeDecodeError as error:
            raise DeclarationError(f"{file} is not UTF-8: {error}") from error
        if not isinstance(document, dict):
            raise DeclarationError(f"{file} is a {type(document).__name__}, not a mapping with `sources:`.")
        for source in document.get("sources", []):
            for table in source.get("tables", []):
                if "external" not in table:
                    continue
                try:
                    declared = RawTable.model_validate(table)
                except ValidationError as error:
                    first = error.errors()[0]
                    place = ".".join(str(part) for part in first["loc"])
                    raise DeclarationError(f"{file}: table {table.get('name')}: {place}: {first['msg']}") from error
                tables[declared.name] = declared
    return tables
