"""Runs dbt-athena's own functional suite, unedited, on the bench: `python tests/dbt_athena/run.py [pytest options]`.

The suite comes from dbt-athena's source distribution; left_out.yml lists what is not run, and why.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from athena_bench.bench import Bench

HERE = Path(__file__).parent


def main(options: list[str]) -> int:
    """Run the suite and return pytest's exit code."""
    left_out = yaml.safe_load((HERE / "left_out.yml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        source = _unpack(Path(folder))
        suite = source / "tests" / "functional"
        missing = [test for item in left_out for test in item["tests"] if not (suite / test.split("::")[0]).exists()]
        if missing:
            raise SystemExit(f"left_out.yml names {missing[0]}, which the suite does not have: take it out.")
        with Bench() as bench:
            environment = (
                os.environ
                | bench.environment
                | {
                    "DBT_TEST_ATHENA_S3_STAGING_DIR": "s3://athena-bench/staging/",
                    "DBT_TEST_ATHENA_S3_TMP_TABLE_DIR": "s3://athena-bench/temporary/",
                    "DBT_TEST_ATHENA_REGION_NAME": bench.region,
                    "DBT_TEST_ATHENA_DATABASE": "awsdatacatalog",
                    "DBT_TEST_ATHENA_SCHEMA": "dbt_athena",
                    "DBT_TEST_ATHENA_WORK_GROUP": "primary",
                    "DBT_TEST_ATHENA_POLL_INTERVAL": "0.05",
                    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                }
            )
            leave_out = [
                f"--deselect=tests/functional/{test}" if "::" in test else f"--ignore=tests/functional/{test}"
                for item in left_out
                for test in item["tests"]
            ]
            command = [
                sys.executable,
                "-m",
                "pytest",
                "tests/functional",
                "-p",
                "no:cacheprovider",
                *leave_out,
                *options,
            ]
            return subprocess.run(command, cwd=source, env=environment, check=False).returncode


def _unpack(folder: Path) -> Path:
    """Download the source that suite.txt names, verified by its hash, and return its folder."""
    wanted = ["--require-hashes", "--no-deps", "--no-binary", ":all:", "--requirement", str(HERE / "suite.txt")]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *wanted, "--dest", folder],
        check=True,
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
