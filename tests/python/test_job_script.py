"""The script of the Glue jobs: its arguments, what it starts, and what it says of a stage that broke."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from lakes import PROJECT
from moto_glue import client, moto_server

from datalake.chain import SIDE_BY_SIDE, STAGES

STACK = PROJECT / "terraform" / "aws" / "data-lake"
SCRIPT = STACK / "files" / "run_stages.py"
BUCKET = "company-datalake-ci"
# As Glue gives them: those of the job and its own, in no order.
ARGUMENTS = [
    *("--WORKFLOW_NAME", "datalake-daily", "--WORKFLOW_RUN_ID", "wr_1", "--JOB_RUN_ID", "jr_1", "--JOB_NAME", "orders"),
    *("--project", f"s3://{BUCKET}/artifacts/project/0a/project.zip", "--stages", "raw,orders", "--bucket", BUCKET),
    *("--region", "us-east-1", "--workgroup", "datalake-dbt", "--job-bookmark-option", "job-bookmark-disable"),
    *("--python-modules-installer-option", "-r", "--TempDir", "s3://temp/", "--enable-metrics", "true"),
]
# Stands for the package: tells how it was started, then does as it is told.
PACKAGE = """
import json, os, sys
names = ("AWS_REGION", "DATALAKE_BUCKET", "DATALAKE_WORKGROUP", "DBT_PROFILES_DIR", "DBT_TARGET_PATH", "DBT_LOG_PATH")
print(json.dumps({"arguments": sys.argv[1:], "cwd": os.getcwd(), **{name: os.environ[name] for name in names}}))
print(open("dbt_project.yml").read())
for number in range(100):
    print("line", number)
sys.exit(int(os.environ.get("ENDS_WITH", "0")))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    archive = tmp_path_factory.mktemp("zip") / "project.zip"
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("dbt_project.yml", "the project")
    with moto_server() as url:
        s3 = client("s3", url)
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(archive), BUCKET, "artifacts/project/0a/project.zip")
        yield url


def run(url: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    package = folder / "datalake"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PACKAGE)
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env={
            **{"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "AWS_ENDPOINT_URL": url},
            **{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
            **environment,
        },
        capture_output=True,
        text=True,
    )


def test_stages_run_in_the_unpacked_project_for_the_run_of_the_workflow(url: str, tmp_path: Path) -> None:
    done = run(url, tmp_path, *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    told, project, *lines = done.stdout.splitlines()
    found = json.loads(told)
    folder = found.pop("cwd")
    assert found == {
        "arguments": ["run", "--target", "prod", "--run", "wr_1", "--stage", "raw", "--stage", "orders"],
        "AWS_REGION": "us-east-1",
        "DATALAKE_BUCKET": BUCKET,
        "DATALAKE_WORKGROUP": "datalake-dbt",
        "DBT_PROFILES_DIR": folder,
        "DBT_TARGET_PATH": f"{folder}/target",
        "DBT_LOG_PATH": f"{folder}/logs",
    }
    assert project == "the project"
    assert lines[-1] == "line 99"
    assert not Path(folder).exists()


def test_job_outside_of_a_workflow_names_the_run_by_its_own(url: str, tmp_path: Path) -> None:
    done = run(url, tmp_path, *ARGUMENTS[4:])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["arguments"][3:5] == ["--run", "jr_1"]


def test_broken_stage_fails_the_job_with_the_end_of_what_it_printed(url: str, tmp_path: Path) -> None:
    done = run(url, tmp_path, *ARGUMENTS, ENDS_WITH="1")
    assert done.returncode == 1
    assert "line 0\n" in done.stdout
    assert done.stderr.split("StageBrokenError: ")[1].split("\n") == [*(f"line {n}" for n in range(80, 100)), ""]


def test_job_without_its_project_fails(url: str, tmp_path: Path) -> None:
    done = run(url, tmp_path, *(argument.replace("/0a/", "/0b/") for argument in ARGUMENTS))
    assert done.returncode == 1
    assert "Not Found" in done.stderr
    assert not done.stdout


def test_jobs_of_the_workflow_run_every_stage_once() -> None:
    """`beside_orders` stands for its parts, which have a job each."""
    stages = re.findall(r'^ +(datalake-\w+) += (\[".*"\])$', (STACK / "workflow.tf").read_text(), re.MULTILINE)
    by_job = {job: json.loads(names) for job, names in stages}
    assert by_job == {
        "datalake-orders": ["raw", "orders"],
        **{f"datalake-{side}": [side] for side in SIDE_BY_SIDE},
        "datalake-metrics": ["metrics", "checks"],
    }
    assert STAGES == ("raw", "orders", "beside_orders", "metrics", "checks")
