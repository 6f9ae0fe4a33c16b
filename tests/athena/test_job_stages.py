"""The script of the Glue jobs fails where its stages do; tests/terraform runs it with those that there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from athena_lakes import BUCKET, WORKGROUP, AthenaLake
from lakes import PROJECT

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


def test_stage_that_is_not_there_ends_the_job(athena_lake: AthenaLake, tmp_path: Path) -> None:
    archive = tmp_path / "project.zip"
    build_project(PROJECT, archive)
    athena_lake.store.put("artifacts/project.zip", archive.read_bytes())

    done = run(athena_lake, "nothing")
    assert done.returncode == 1
    assert "StageBrokenError: datalake: There is no stage nothing" in done.stderr
