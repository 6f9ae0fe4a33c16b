"""What dbt makes when it first needs it, made once in the server that runs are forked from, which alone imports this.

That is the code of its classes and the templates of macros, which it looks up by their text.
"""

from __future__ import annotations

import gc
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache

PROJECT = Path(__file__).parents[2]


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
    reset_adapters()  # type: ignore[no-untyped-call]


warm()
# No fork looks for garbage among what is here by now.
gc.collect()
gc.freeze()
