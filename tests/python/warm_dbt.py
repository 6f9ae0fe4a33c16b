"""What dbt makes when it first needs it, made once in the server that runs are forked from, which alone imports this.

That is the code and the description of its classes, and the templates of macros, which it looks up by their text.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3
from aws_clients import keep_clients, keep_descriptions
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner
from dbt.compilation import Linker
from dbt.contracts.graph import nodes, unparsed
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache
from dbt_common.dataclass_schema import dbtClassMixin
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

PROJECT = Path(__file__).parents[2]
PARSED: tuple[type[dbtClassMixin], ...] = (
    *(
        nodes.AnalysisNode,
        nodes.GenericTestNode,
        nodes.HookNode,
        nodes.ModelNode,
        nodes.SeedNode,
        nodes.SingularTestNode,
    ),
    *(unparsed.UnparsedExposure, unparsed.UnparsedModelUpdate, unparsed.UnparsedNodeUpdate),
    *(unparsed.UnparsedSourceDefinition, unparsed.UnparsedUnitTest),
)
"""What dbt holds a project's files to; it takes more than a second to describe that."""


def warm() -> None:
    """Parse a project of the same macros without a model, for models take longest, and make the macros' templates."""
    with TemporaryDirectory() as folder:
        settings = {"name": "datalake", "profile": "datalake", "macro-paths": ["macros"]}
        Path(folder, "dbt_project.yml").write_text(json.dumps(settings))
        Path(folder, "macros").symlink_to(PROJECT / "macros")
        places = ["--project-dir", folder, "--target-path", folder, "--log-path", folder]
        profile = ["--profiles-dir", str(PROJECT / "tests" / "python" / "profiles"), "--target", "local"]
        parsed = dbtRunner().invoke(["--quiet", "--log-level-file", "none", "parse", *places, *profile]).result
    assert isinstance(parsed, Manifest)
    for macro in parsed.macros.values():
        template_cache.get_node_template(macro)
    for kind in PARSED:
        kind.json_schema()
    reset_adapters()  # type: ignore[no-untyped-call]


def leave_out_what_nobody_reads() -> None:
    """Spare a run its events for a log that it does not write, and its `graph_summary.json`: a tenth of its time."""
    fire = EventManager.fire_event

    def fire_event(
        manager: EventManager, e: BaseEvent, level: EventLevel | None = None, *rest: Any, **named: Any
    ) -> None:
        if os.environ.get("DBT_LOG_LEVEL_FILE") != "none" or (level or e.level_tag()) != EventLevel.DEBUG:
            fire(manager, e, level, *rest, **named)

    patch.object(EventManager, "fire_event", fire_event).start()
    patch.object(Linker, "get_graph_summary", lambda *_: {}).start()


warm()
leave_out_what_nobody_reads()
keep_descriptions()
for service in ("athena", "glue", "lakeformation", "s3", "sts"):  # dbt-athena has many sessions
    boto3.Session(region_name="us-east-1").client(service)
keep_clients()
# No fork looks for garbage among what is here by now.
gc.collect()
gc.freeze()
