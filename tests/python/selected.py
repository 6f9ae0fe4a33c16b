"""The project's models as dbt itself sees them: which are selected by a selector, and what each reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dbt_server import start_process
from lakes import PROJECT, Lake


@dataclass(frozen=True)
class Models:
    """Names of models: those that each selector selects, and those that each model reads."""

    selected: Mapping[str, set[str]]
    reads: Mapping[str, set[str]]


def models_of(lake: Lake, selectors: Sequence[str]) -> Models:
    """Ask dbt, in a process of its own that parses the project once."""
    lake.root.mkdir(exist_ok=True)
    answer = lake.root / "models.json"
    process = start_process(_list, list(selectors), dict(lake.environment), answer)
    process.join()
    assert process.exitcode == 0
    selected, reads = json.loads(answer.read_text())
    return Models(_sets(selected), _sets(reads))


def _sets(lists: Mapping[str, list[str]]) -> dict[str, set[str]]:
    return {name: set(names) for name, names in lists.items()}


def _list(selectors: Sequence[str], environment: Mapping[str, str], answer: Path) -> None:
    from dbt.artifacts.resources.types import NodeType
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    os.environ.update(environment)
    os.chdir(PROJECT)
    manifest = dbtRunner().invoke(["parse", "--quiet"]).result
    assert isinstance(manifest, Manifest)
    selected = {}
    for selector in selectors:
        command = ["ls", "--quiet", "--resource-type", "model", "--output", "name", "--selector", selector]
        selected[selector] = dbtRunner(manifest=manifest).invoke(command).result
    models = {key: node for key, node in manifest.nodes.items() if node.resource_type == NodeType.Model}
    reads = {
        node.name: [models[each].name for each in node.depends_on_nodes if each in models] for node in models.values()
    }
    answer.write_text(json.dumps([selected, reads]))
