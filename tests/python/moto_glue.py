"""moto's Glue over HTTP, with job runs in the states and with the figures that a test gives them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.models import FakeJob, FakeJobRun, glue_backends
from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

from datalake.cli import main

REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}


@contextmanager
def moto_server() -> Iterator[str]:
    """Yield the address of a moto of this process."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(service: str, url: str, **more: Any) -> Any:
    create: Any = boto3.client
    return create(service, endpoint_url=url, region_name=REGION, **CREDENTIALS, **more)


class Command:
    """Runs `datalake` in this process against a moto, and returns how it ended and what it printed."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            **{name.upper(): value for name, value in CREDENTIALS.items()},
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        for name, value in (self._environment | environment).items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["datalake", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *self._capsys.readouterr()


@contextmanager
def runs_go_on() -> Iterator[None]:
    """Keep the runs that moto starts from their end; otherwise they are at it with the first look."""
    state_manager.set_transition("glue::job_run", {"progression": "manual", "times": 1000})
    try:
        yield
    finally:
        state_manager.unset_transition("glue::job_run")


class Run(FakeJobRun):
    """A run of moto's that is in one state after the other, a look each, and stays in the last."""

    def __init__(self, job: str, states: tuple[str, ...], figures: dict[str, Any]) -> None:
        super().__init__(job, arguments=figures.pop("Arguments", None))
        self._transitions = []
        self._status = states[0]
        self._states = iter(states)
        self._figures = figures

    def advance(self) -> None:
        """Be looked at: moto asks for the state after this."""
        self._status = next(self._states, self._status)

    def as_dict(self) -> dict[str, Any]:
        described = super().as_dict()
        if self.status in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
            del described["CompletedOn"]  # moto always has one
        figures = {key: _naive(value) for key, value in self._figures.items()}
        return {key: value for key, value in (described | figures).items() if value is not None}


def create_job(glue: Any, name: str, at_once: int = 1) -> str:
    glue.create_job(
        Name=name,
        Role="role",
        Command={"Name": "glueetl", "ScriptLocation": "s3://bucket/job.py"},
        ExecutionProperty={"MaxConcurrentRuns": at_once},
    )
    return name


def put_run(job: str, *states: str, **figures: Any) -> str:
    """Give a job a run older than those it has, since Glue lists the newest first, and return its id."""
    run = Run(job, states or ("SUCCEEDED",), figures)
    jobs: dict[str, FakeJob] = glue_backends[DEFAULT_ACCOUNT_ID][REGION].jobs
    jobs[job].job_runs.append(run)
    return str(run.job_run_id)


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
