"""The examples of the README, in a project that has nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "src/athena_bench/README.md"
PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    "models/orders.sql": "select 1 as order_id, 2 as total, 'a@x' as email",
}


def test_examples_are_all_that_another_project_needs(tmp_path: Path) -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", README.read_text(), re.DOTALL)
    (settings,) = (text for kind, text in blocks if kind == "toml")
    (profile,) = (text for kind, text in blocks if kind == "yaml")
    built, seen = (text for kind, text in blocks if kind == "python")
    outputs = "".join(f"    {line}\n" for line in profile.replace("my_schema", "sales").splitlines())
    files = {
        **PROJECT,
        "pyproject.toml": settings,
        "profiles.yml": f"shop:\n  outputs:\n{outputs}",
        "test_shop.py": built + seen,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
