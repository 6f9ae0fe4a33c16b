"""Terraform is found where it may be, and a run without it fails and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import terraform_cli
from terraform_cli import PROJECT, TerraformMissingError, find, has_provider, locked_version

TESTS = Path(__file__).parent


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_cli, "_registry_answers", lambda: False)
    monkeypatch.setattr(terraform_cli, "USUAL_PLACES", ("~/.terraform.d/plugins",))
    monkeypatch.setattr(terraform_cli, "_platform", lambda: "linux_amd64")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with a program of that name and a home without anything."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return {"PATH": str(program.parent), "HOME": str(tmp_path / "home")}


def mirror(folder: Path) -> Path:
    (folder / "registry.terraform.io/hashicorp/aws" / locked_version() / "linux_amd64").mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("offline")
class TestOffline:
    def test_mirror_in_the_home_is_taken(self, environment: dict[str, str]) -> None:
        place = mirror(Path(environment["HOME"]) / ".terraform.d" / "plugins")
        assert find(environment).plugins == place

    def test_named_mirror_is_taken_and_no_other(self, environment: dict[str, str], tmp_path: Path) -> None:
        mirror(Path(environment["HOME"]) / ".terraform.d" / "plugins")
        named = mirror(tmp_path / "named")
        assert find(environment | {"TF_PLUGIN_DIR": str(named)}).plugins == named
        with pytest.raises(TerraformMissingError, match="is in none of /nowhere"):
            find(environment | {"TF_PLUGIN_DIR": "/nowhere"})

    def test_mirror_of_the_cli_configuration_is_taken(self, environment: dict[str, str], tmp_path: Path) -> None:
        place = mirror(tmp_path / "company")
        configuration = tmp_path / "cli.tfrc"
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{place}"\n  }}\n}}\n')
        assert find(environment | {"TF_CLI_CONFIG_FILE": str(configuration)}).plugins == place

    def test_cli_configuration_that_is_not_there_is_left_out(self, environment: dict[str, str]) -> None:
        mirror(Path(environment["HOME"]) / ".terraform.d" / "plugins")
        assert "TF_CLI_CONFIG_FILE" not in find(environment | {"TF_CLI_CONFIG_FILE": "/nowhere"}).environment

    def test_zip_of_the_provider_is_a_mirror_too(self, tmp_path: Path) -> None:
        provider = tmp_path / "registry.terraform.io/hashicorp/aws"
        provider.mkdir(parents=True)
        (provider / f"terraform-provider-aws_{locked_version()}_linux_amd64.zip").touch()
        assert has_provider(tmp_path)

    def test_other_version_is_no_provider(self, tmp_path: Path) -> None:
        (tmp_path / "registry.terraform.io/hashicorp/aws/4.0.0/linux_amd64").mkdir(parents=True)
        assert not has_provider(tmp_path)

    def test_no_provider_is_told_with_the_places(self, environment: dict[str, str]) -> None:
        Path(environment["HOME"], ".terraform.d", "plugins").mkdir(parents=True)
        with pytest.raises(TerraformMissingError, match=r"hashicorp/aws .* is in none of .*/home/.terraform.d/plugins"):
            find(environment)


def test_registry_that_answers_needs_no_mirror(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_cli, "_registry_answers", lambda: True)
    assert find(environment).plugins is None


def test_lock_file_knows_the_provider_for_several_platforms() -> None:
    lock = (terraform_cli.STACK / ".terraform.lock.hcl").read_text()
    assert lock.count('"zh:') > 10


def pytest_run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(TESTS / "test_declaration.py"), "-p", "no:cacheprovider"],
        cwd=PROJECT,
        env={**os.environ, "PATH": "/nowhere", **environment},
        capture_output=True,
        text=True,
    )


def test_run_without_terraform_fails_and_says_what_was_not_run() -> None:
    done = pytest_run()
    assert done.returncode == 1
    assert "There is no terraform on the PATH." in done.stdout
    assert "Terraform was not run" in done.stdout
    assert "test_declaration.py: The stack is in Terraform's own shape, and valid." in done.stdout


def test_run_without_terraform_that_is_allowed_passes_and_says_what_was_not_run() -> None:
    done = pytest_run(DATALAKE_WITHOUT_TERRAFORM="1")
    assert done.returncode == 0
    assert "2 skipped" in done.stdout
    assert "Terraform was not run" in done.stdout
    assert "test_declaration.py: The stack is in Terraform's own shape, and valid." in done.stdout
