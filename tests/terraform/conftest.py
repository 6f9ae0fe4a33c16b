"""Terraform for tests, and what is said where it is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import terraform_cli

from datalake.distribution import build_project

if TYPE_CHECKING:
    from stack import Applied, Plan, Stack
    from terraform_cli import Terraform, Working

    from athena_bench.bench import Bench

WITHOUT = "DATALAKE_WITHOUT_TERRAFORM"
"""Set to 1, tests that need Terraform are left out where it is not found; otherwise they fail."""

_missing = pytest.StashKey[str]()
_layers = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what runs Terraform out of a fast run, and keep what its modules are about."""
    needing = [item for item in items if "terraform" in getattr(item, "fixturenames", ())]
    layers = {}
    for item in needing:
        item.add_marker(pytest.mark.server)
        if isinstance(item, pytest.Function):
            layers[item.path.name] = str(item.module.__doc__).partition("\n")[0]
    config.stash[_layers] = [f"{name}: {about}" for name, about in layers.items()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly what was not run."""
    if _missing in config.stash:
        terminalreporter.section("Terraform was not run", red=True, bold=True)
        terminalreporter.line(config.stash[_missing])
        terminalreporter.line("So nothing has shown that these hold:")
        for layer in config.stash[_layers]:
            terminalreporter.line(f"  {layer}")


@pytest.fixture(scope="session")
def terraform(pytestconfig: pytest.Config) -> Terraform:
    """Terraform, as this machine has it; where it has none, the test fails unless it was told otherwise."""
    try:
        return terraform_cli.find(os.environ)
    except terraform_cli.TerraformMissingError as missing:
        pytestconfig.stash[_missing] = str(missing)
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(pytestconfig.stash[_missing])
    pytest.fail(f"{pytestconfig.stash[_missing]}\n{WITHOUT}=1 leaves these tests out.", pytrace=False)


@pytest.fixture(scope="session")
def declared(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Working:
    """The stack in its own folder, ready for commands that make nothing."""
    data: Path = tmp_path_factory.mktemp("declared")
    return terraform.init(terraform_cli.STACK, data)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project as `make dist` packs it, and small files in the place of what is only uploaded."""
    folder: Path = tmp_path_factory.mktemp("artifacts")
    build_project(terraform_cli.PROJECT, folder / "project.zip")
    for name in ("datalake-0.0.0-py3-none-any.whl", "requirements.txt"):
        (folder / name).write_text("A stand-in.\n")
    with ZipFile(folder / "lambda.zip", "w") as archive:
        archive.writestr("stand-in.txt", "A stand-in.\n")
    return folder


@pytest.fixture(scope="session")
def emulator(terraform: Terraform, pytestconfig: pytest.Config) -> Iterator[Bench]:
    """A bench of its own, without buckets and workgroups of the lake: Terraform makes those."""
    del terraform  # where there is none, nothing is started
    from emulator import mended  # moto takes a second, which a run without these tests has no use for

    from athena_bench.bench import Bench

    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        bench = Bench(heap=pytestconfig.getini("athena_bench_heap"))
        with mended(bench.server), bench:
            bench.reset()  # IAM reads the setting when it is made, which another test may have done without
            yield bench


@pytest.fixture(scope="session")
def stack(terraform: Terraform, emulator: Bench, artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack on the emulator, of which nothing is made yet."""
    from stack import Stack

    variables = {"environment": "ci", "github_repository": "owner/name", "artifacts": str(artifacts)}
    return Stack.on(terraform, tmp_path_factory.mktemp("stack"), emulator.environment, variables)


@pytest.fixture(scope="session")
def planned(stack: Stack) -> Plan:
    """The plan of the whole stack in an empty account."""
    return stack.plan()


@pytest.fixture(scope="session")
def applied(stack: Stack, planned: Plan) -> Applied:
    """The stack, applied but for what the emulator lacks."""
    from stack import Applied

    return Applied.make(stack, planned)
