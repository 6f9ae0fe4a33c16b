"""The script of the Glue jobs runs the project's own stages, as they are deployed, on the real engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from athena_lakes import BUCKET, WORKGROUP, AthenaLake
from lakes import PROJECT
from test_commands import USER

from datalake.distribution import build_project

SCRIPT = PROJECT / "terraform" / "aws" / "data-lake" / "files" / "run_stages.py"


def run(lake: AthenaLake, stages: str) -> subprocess.CompletedProcess[str]:
    arguments = {
        "--stages": stages,
        "--project": lake.store.uri("artifacts/project.zip"),
        "--bucket": BUCKET,
        "--region": lake.bench.region,
        "--workgroup": WORKGROUP,
        "--WORKFLOW_RUN_ID": "wr_1",
        "--JOB_RUN_ID": "jr_1",
    }
    return subprocess.run(
        [sys.executable, SCRIPT, *(part for pair in arguments.items() for part in pair)],
        cwd=lake.folder,
        env={
            **{"PATH": os.environ["PATH"], "HOME": str(lake.folder)},
            **lake.bench.environment,
            "DATALAKE_POLL_SECONDS": "0.05",
        },
        capture_output=True,
        text=True,
    )


def test_stages_of_a_job_build_their_tables_from_the_deployed_project(athena_lake: AthenaLake, tmp_path: Path) -> None:
    athena_lake.store.put("raw/users/year=2024/month=01/day=15/hour=10/users.json", USER)
    archive = tmp_path / "project.zip"
    build_project(PROJECT, archive)
    athena_lake.store.put("artifacts/project.zip", archive.read_bytes())

    done = run(athena_lake, "raw,users")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "users done in" in done.stdout
    assert athena_lake.rows("select user_id, customer_id from curated_db.users") == [("u1", "c1")]
    assert [key for key in athena_lake.keys("state/runs/wr_1/users/") if key.endswith("run_results.json")]

    done = run(athena_lake, "nothing")
    assert done.returncode == 1
    assert "StageBrokenError: datalake: There is no stage nothing" in done.stderr
