"""What the infrastructure deploys, built into one folder: the same input makes the same bytes.

| file | what it is | who takes it |
|---|---|---|
| `datalake-{version}-py3-none-any.whl` | this package | the Glue jobs |
| `requirements.txt` | what it needs, at the versions and hashes of `requirements.lock` | the Glue jobs |
| `project.zip` | the dbt project with its profile | the Glue jobs |
| `lambda.zip` | `datalake.package` | the Lambda functions |
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datalake import package
from datalake.errors import PackagingError
from datalake.package import find_uv, pack

GLUE_PYTHON = "3.11"
GLUE_PLATFORM = "x86_64-manylinux_2_28"
"""Glue 5.0 runs Python 3.11 on Amazon Linux 2023 (glibc 2.34).

https://docs.aws.amazon.com/glue/latest/dg/release-notes.html
"""

_PROJECT = (
    "dbt_project.yml",
    "selectors.yml",
    "models/**/*.*",
    "macros/**/*.sql",
    "tests/generic/*.sql",
    "tests/*.sql",
    "seeds/**/*.*",
    "analyses/**/*.sql",
)
"""The files of the dbt project. Its tests of Python and the development tools stay out."""

_ZIP_BEGINS = "315532800"
"""1980-01-01 in seconds, the first time that a zip can hold."""


def build(project: Path, folder: Path) -> tuple[Path, ...]:
    """Build everything into a folder and return the files; those that are there are replaced.

    Args:
        project: the dbt project's folder, with `pyproject.toml` and `requirements.lock`.
        folder: where the files go; it is made where there is none.

    Raises:
        PackagingError: a tool is missing, or a package can't be had as it is locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(project, folder)
    requirements = folder / "requirements.txt"
    requirements.write_text(glue_requirements(project), encoding="utf-8")
    build_project(project, folder / "project.zip")
    package.build(project, folder / "lambda.zip")
    return wheel, requirements, folder / "project.zip", folder / "lambda.zip"


def build_wheel(project: Path, folder: Path) -> Path:
    """Build this package's wheel into a folder, in the place of older ones, and return it.

    Raises:
        PackagingError: it can't be built.
    """
    with tempfile.TemporaryDirectory(dir=folder) as built:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", built],
            cwd=project,
            env=os.environ | {"SOURCE_DATE_EPOCH": _ZIP_BEGINS},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PackagingError(f"The wheel can't be built:\n{done.stderr.strip()}")
        (wheel,) = Path(built).glob("*.whl")
        for older in folder.glob("datalake-*.whl"):
            older.unlink()
        return wheel.rename(folder / wheel.name)


def glue_requirements(project: Path) -> str:
    """Return what this package needs in a Glue job, as pip's requirements with hashes.

    uv says which packages these are on Glue's platform; versions and hashes are copied from the lock.

    Raises:
        PackagingError: uv is missing, or the lock lacks a package or its hash.
    """
    lock = project / "requirements.lock"
    command = [
        *(find_uv(), "pip", "compile", str(project / "pyproject.toml"), "--constraints", str(lock), "--quiet"),
        *("--python-version", GLUE_PYTHON, "--python-platform", GLUE_PLATFORM),
        *("--no-annotate", "--no-header", "--no-emit-index-url"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PackagingError(f"The requirements of the Glue jobs can't be told:\n{done.stderr.strip()}")
    entry = r"^([a-z0-9-]+==[^\s;]+).*((?:\n +--hash=\S+.*)+)"
    locked = dict(re.findall(entry, lock.read_text(encoding="utf-8"), re.MULTILINE))
    needed = done.stdout.split()
    if missing := [pin for pin in needed if pin not in locked]:
        raise PackagingError(f"{lock} has no {', '.join(missing)}, which the Glue jobs need. Run make lock.")
    return "".join(f"{pin} \\{locked[pin]}\n" for pin in needed)


def build_project(project: Path, target: Path) -> None:
    """Write the dbt project, with its profile as `profiles.yml`, to a zip."""
    pack(target, dict(_project_files(project)))


def _project_files(project: Path) -> Iterator[tuple[str, Path]]:
    for pattern in _PROJECT:
        for file in project.glob(pattern):
            if file.is_file():
                yield file.relative_to(project).as_posix(), file
    yield "profiles.yml", project / "profiles.yml.example"
