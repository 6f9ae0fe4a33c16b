"""The zip of the Lambda functions: it holds what they need and no more, and they run from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
from faulty_s3 import FaultyS3, faulty_s3
from lakes import PROJECT

from datalake.errors import PackagingError
from datalake.package import MOST_BYTES, Package, build, pack

OF_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
BUCKET = "raw-data"


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        server.client().create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Package]:
    target = tmp_path_factory.mktemp("package") / "lambda.zip"
    return target, build(PROJECT, target, f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="module")
def code(built: tuple[Path, Package], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda unpacks."""
    folder = tmp_path_factory.mktemp("task")
    with ZipFile(built[0]) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the packages that Lambda's runtime has, and no other."""
    folder = tmp_path_factory.mktemp("runtime")
    installed = Path(boto3.__file__).parents[1]
    for name in OF_THE_RUNTIME:
        (folder / name).symlink_to(installed / name)
    return folder


RUN = """
import json, os, sys
sys.path[:0] = sys.argv[1:]
os.chdir(sys.argv[1])
from datalake import arrivals, handler
from datalake.inspect import inspect
from datalake.ledger import entries
from datalake.storage import S3Store, StoredObject
import io, pyarrow.parquet

class Context:
    aws_request_id = "6b3f1d8e-0c0b-4f3a-9a51-0f6a7a3f0b1c"
    function_name, memory_limit_in_mb, invoked_function_arn = "datalake", 1024, "arn"
    def get_remaining_time_in_millis(self): return 30_000

answers = [handler.handle(json.loads(event), Context()) for event in json.loads(sys.stdin.read())]
key = json.loads(answers[-1]["body"])["s3Key"]
with S3Store(handler._client("s3"), os.environ["RAW_DATA_BUCKET"]).read(key) as file:
    inspection = inspect(file, key, handler._tables()["customers"])
entered = entries([1], [StoredObject(key, 1)], [inspection])
pyarrow.parquet.write_table(entered, io.BytesIO())
print(json.dumps({"answers": answers, "rows": inspection.rows, "reason": inspection.reason}), flush=True)
os._exit(0)  # Lambda too lets no process end by itself
"""


def test_functions_run_from_the_zip_beside_nothing_but_the_runtime(code: Path, runtime: Path, s3: FaultyS3) -> None:
    events: list[dict[str, Any]] = [
        {"action": "delete"},
        {"action": "query", "sql": "drop table orders"},
        {"action": "ingest", "dataset": "orders", "records": [{"order_id": "o1"}]},
        {"action": "ingest", "dataset": "customers", "records": [{"customer_id": "c1"}, {"customer_id": "c2"}]},
    ]
    settings = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.server.port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LAMBDA_TASK_ROOT": str(code),
        "RAW_DATA_BUCKET": BUCKET,
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", RUN, str(code), str(runtime)],
        input=json.dumps([json.dumps(event) for event in events]),
        env=settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [answer["statusCode"] for answer in told["answers"]] == [400, 400, 200, 200]
    assert (told["rows"], told["reason"]) == (2, None)


def test_zip_holds_what_the_functions_need_and_no_more(built: tuple[Path, Package]) -> None:
    with ZipFile(built[0]) as archive:
        names = set(archive.namelist())
        unpacked = sum(entry.file_size for entry in archive.infolist())
    tops = {name.split("/")[0].split("-")[0] for name in names}
    assert tops == {
        "_yaml",
        "annotated_types",
        "aws_lambda_powertools",
        "datalake",
        "jmespath",
        "models",
        "orjson",
        "pyarrow",
        "pydantic",
        "pydantic_core",
        "pyyaml",
        "sqlglot",
        "typing_extensions",
        "typing_extensions.py",
        "typing_inspection",
        "yaml",
    }
    assert {f"models/raw/{file.name}" for file in (PROJECT / "models" / "raw").glob("*.yml")} < names
    ours = {name.removeprefix("datalake/") for name in names if name.startswith("datalake/")}
    assert {"__init__.py", "handler.py", "arrivals.py", "ingest.py"} < ours
    assert ours.isdisjoint({"lake.py", "targets.py", "replay.py", "example.py", "package.py"})
    assert not [name for name in names if "/cli/" in name or "/tests/" in name or "__pycache__" in name]
    assert unpacked == built[1].unpacked_bytes < MOST_BYTES
    assert built[0].stat().st_size == built[1].bytes < 50 << 20  # what Lambda takes without S3


def test_bytes_of_a_zip_depend_on_names_and_content_alone(tmp_path: Path) -> None:
    zips = []
    for number, time in enumerate((1_000_000_000, 1_700_000_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = {}
        for name in ("b.py", "a/c.py") if number else ("a/c.py", "b.py"):
            file = folder / Path(name).name
            file.write_text(name)
            file.chmod(0o600 if number else 0o755)
            os.utime(file, (time, time))
            files[name] = file
        pack(folder / "lambda.zip", files)
        zips.append((folder / "lambda.zip").read_bytes())
    assert zips[0] == zips[1]
    with ZipFile(tmp_path / "0" / "lambda.zip") as archive:
        assert archive.namelist() == ["a/c.py", "b.py"]
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def project(folder: Path, extra: str, lock: str) -> Path:
    (folder / "pyproject.toml").write_text(f"[project.optional-dependencies]\nlambda = ['{extra}']\n")
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_package_that_the_lock_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="has no orjson, which the extra `lambda` asks for"):
        build(project(tmp_path, "orjson~=3.10", "pydantic==2.14.3\n"), tmp_path / "lambda.zip")


def test_package_without_its_locked_hash_is_refused_and_an_older_zip_stays(tmp_path: Path) -> None:
    (tmp_path / "lambda.zip").write_bytes(b"older")
    lock = f"orjson==3.13.0 \\\n    --hash=sha256:{'0' * 64}\n"
    with pytest.raises(PackagingError, match=r"(?s)can't be had.*orjson"):
        build(project(tmp_path, "orjson~=3.10", lock), tmp_path / "lambda.zip")
    assert (tmp_path / "lambda.zip").read_bytes() == b"older"


def test_uv_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(PackagingError, match="fetched with uv, which is not here"):
        build(PROJECT, tmp_path / "lambda.zip")
