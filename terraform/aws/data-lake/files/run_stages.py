"""The script of the Glue jobs: runs stages of the daily run for the workflow's run.

Glue has put the package `datalake` and what it needs on the path; the dbt project comes from S3 as a zip. The stages
run in a process of their own, whose last lines are this run's error message in Glue where it breaks. Arguments that are
not declared here are Glue's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import boto3

TOLD_LINES = 20


class StageBrokenError(Exception):
    """A stage broke; the text is the end of what `datalake run` printed."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the job's arguments, without those that Glue adds."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--stages", required=True, help="names of stages, separated by commas")
    parser.add_argument("--project", required=True, help="s3://BUCKET/KEY of the dbt project's zip")
    parser.add_argument("--bucket", required=True, help="the lake's bucket")
    parser.add_argument("--region", required=True, help="the region of everything")
    parser.add_argument("--workgroup", required=True, help="the workgroup of Athena in which dbt works")
    parser.add_argument("--target", default="prod", help="the target of the dbt profile")
    # Glue's own: of a job that a workflow starts, and of every job.
    parser.add_argument("--WORKFLOW_RUN_ID", dest="workflow_run")
    parser.add_argument("--JOB_RUN_ID", dest="job_run", required=True)
    return parser.parse_known_args(arguments)[0]


def command(settings: argparse.Namespace) -> list[str]:
    """Return the command that runs the stages, as part of the workflow's run where there is one."""
    stages = [part for stage in settings.stages.split(",") for part in ("--stage", stage)]
    run = settings.workflow_run or settings.job_run
    return [sys.executable, "-m", "datalake", "run", "--target", settings.target, "--run", run, *stages]


def main(arguments: Sequence[str]) -> None:
    """Fetch the project and run the stages in it.

    Raises:
        StageBrokenError: a stage broke, or could not begin.
    """
    settings = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        archive, project = Path(folder, "project.zip"), Path(folder, "project")
        location = urlsplit(settings.project)
        s3 = boto3.client("s3", region_name=settings.region)
        s3.download_file(location.netloc, location.path.lstrip("/"), str(archive))
        with ZipFile(archive) as zipped:
            zipped.extractall(project)
        run(command(settings), project, environment(settings, project))


def environment(settings: argparse.Namespace, project: Path) -> dict[str, str]:
    """Return the environment of the stages: this one's modules, the account's facts, folders that can be written."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": settings.region,
        "DATALAKE_BUCKET": settings.bucket,
        "DATALAKE_WORKGROUP": settings.workgroup,
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(project / "target"),
        "DBT_LOG_PATH": str(project / "logs"),
    }


def run(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a command, pass on what it prints, and raise the end of that where it fails."""
    last: deque[str] = deque(maxlen=TOLD_LINES)
    with subprocess.Popen(
        arguments, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            last.append(line)
    if process.returncode:
        raise StageBrokenError("".join(last).strip() or f"It ended with {process.returncode} and printed nothing.")


if __name__ == "__main__":
    main(sys.argv[1:])
