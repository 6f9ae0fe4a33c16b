"""A bad set-up gets a sentence that says what to do, not a stack trace."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lakes import PROJECT, Lake


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def fresh_checkout(tmp_path: Path) -> Path:
    """The files that set-up reads, without what it makes."""
    for name in ("Makefile", "ci.mk", "requirements.lock", "pyproject.toml", "profiles.yml.example"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def test_missing_python_is_named(fresh_checkout: Path) -> None:
    done = make("-C", str(fresh_checkout), "build", "PYTHON=python3.11-that-is-not-there")
    assert done.returncode != 0
    assert "needs Python 3.11, and there is no python3.11-that-is-not-there on the PATH" in done.stdout


def test_other_python_is_named_with_its_version(fresh_checkout: Path) -> None:
    other = fresh_checkout / "python3.9"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    other.chmod(0o755)
    done = make("-C", str(fresh_checkout), "build", f"PYTHON={other}")
    assert done.returncode != 0
    assert "is Python 3.9.1" in done.stdout


def test_unknown_target_is_answered_with_the_targets_there_are(lake: Lake) -> None:
    lake.check()
    said = lake.dbt_command("build", "--target", "production", fails=True)
    assert "does not have a target named 'production'" in said
    assert "local" in said
    assert "Traceback" not in said


def test_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    root.write_text("")
    said = Lake(root).run("datalake", "check", fails=True)
    assert f"The lake's root {root} can't be used" in said
    assert "Set DATALAKE_ROOT" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["it's", "a[1]", "a*"])
def test_root_that_an_engine_would_read_otherwise_is_named(tmp_path: Path, name: str) -> None:
    said = Lake(tmp_path / name).run("datalake", "check", fails=True)
    assert f"The lake's root {tmp_path / name} can't be used" in said
    assert not (tmp_path / name).exists()


def test_root_without_raw_files_is_pointed_at(lake: Lake) -> None:
    assert f"There is no folder raw/ in {lake.root}" in lake.check()


def test_query_without_sql_says_how_to_ask() -> None:
    done = make("query")
    assert done.returncode != 0
    assert 'make query SQL="select' in done.stdout


def test_query_of_a_lake_that_is_not_there_makes_no_folder(lake: Lake) -> None:
    lake.run("datalake", "query", "select 1", fails=True)
    assert not lake.root.exists()


def test_declared_column_that_no_file_has_is_named(lake: Lake) -> None:
    lake.put(
        "raw/users/year=2024/month=01/day=15/hour=10/users.json",
        b'{"user_id": "u1", "customer": "c1", "email": "", "phone": "", "newsletter": true, '
        b'"created_at": "2024-01-15", "updated_at": "2024-01-15"}\n',
    )
    said = lake.run("datalake", "check", fails=True)
    assert "declares the column customer_id for users, which no file of raw/users/ has" in said
    assert "customer, email" in said
    assert "Traceback" not in said
    assert lake.rows("select count(*) from curated_db.raw_files") == [(0,)]


def test_build_without_a_check_says_to_run_it(lake: Lake) -> None:
    lake.root.mkdir()
    said = lake.dbt_command("build", fails=True)
    assert "Run `datalake check`" in said
    assert "Traceback" not in said


def test_query_of_a_lake_that_is_not_there_says_what_to_run(lake: Lake) -> None:
    said = lake.run("datalake", "query", "select 1", fails=True)
    assert "There is no lake in" in said
    assert "datalake check" in said
