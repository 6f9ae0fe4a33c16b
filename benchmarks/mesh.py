"""Build the lake's tables with SQLMesh, in `.venv-bench`, from the SQL that dbt compiled for a full refresh.

Prints the seconds of planning and applying, without imports and without loading the project.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

from sqlmesh import Context

CATALOG = "built"


def write_project(target: Path, lake: Path, project: Path, database: Path) -> None:
    """Write a SQLMesh project of dbt's compiled models, each one made whole.

    Args:
        target: dbt's target folder after a full refresh.
        lake: the lake's database, whose ledger the models read.
        project: the folder to make.
        database: the database that SQLMesh is to build.
    """
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    folder = project / "models"
    folder.mkdir(parents=True)
    for model in models:
        compiled = target / "compiled" / model["package_name"] / model["original_file_path"]
        query = _refer(compiled.read_text(encoding="utf-8"), models)
        kind = "VIEW" if model["config"]["materialized"] == "view" else "FULL"
        (folder / f"{model['name']}.sql").write_text(
            f"MODEL (name {model['schema']}.{model['name']}, kind {kind});\n\n{query}\n", encoding="utf-8"
        )
    connection = {
        "type": "duckdb",
        "catalogs": {
            CATALOG: str(database),
            "lake": {"type": "duckdb", "path": str(lake), "read_only": True},
        },
        "connector_config": {"threads": 2, "TimeZone": "UTC", "enable_external_file_cache": False},
        "concurrent_tasks": 2,
    }
    config = {
        "gateways": {"local": {"connection": connection}},
        "default_gateway": "local",
        "model_defaults": {"dialect": "duckdb", "start": "2024-01-01"},
        "disable_anonymized_analytics": True,
    }
    (project / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML


def _refer(query: str, models: list[dict[str, Any]]) -> str:
    """Let a query read SQLMesh's tables where it read dbt's; the ledger stays the lake's."""
    for model in models:
        query = query.replace(model["relation_name"], f"{model['schema']}.{model['name']}")
    # Its parser knows no escapes in strings, so they are spelled out.
    return re.sub(r"\be'((?:[^'\\]|\\.)*)'", lambda found: _spelled(found[1]), query)


def _spelled(text: str) -> str:
    parts = re.findall(r"\\x[0-9a-f]{2}|\\.|[^\\]+", text)
    controls = {r"\t": 9, r"\n": 10, r"\r": 13}
    spelled = [
        f"chr({int(part[2:], 16)})"
        if part.startswith(r"\x")
        else f"chr({controls[part]})"
        if part in controls
        else f"'{part[1:]}'"
        if part.startswith("\\")
        else f"'{part}'"
        for part in parts
    ]
    return "(" + " || ".join(spelled) + ")"


def main() -> None:
    """Build as the command line says and print the seconds."""
    parser = argparse.ArgumentParser(description="Build the lake's tables with SQLMesh.")
    parser.add_argument("root", type=Path, help="the lake's root folder")
    parser.add_argument("target", type=Path, help="dbt's target folder after a full refresh of that lake")
    parser.add_argument("output", type=Path, help="the folder for the project and its database, built.duckdb")
    asked = parser.parse_args()
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    database = asked.output.resolve() / f"{CATALOG}.duckdb"
    write_project(asked.target, asked.root.resolve() / "lake.duckdb", asked.output / "project", database)
    context = Context(paths=str(asked.output / "project"))
    started = time.perf_counter()
    context.plan(auto_apply=True, no_prompts=True)
    print(f"{time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
