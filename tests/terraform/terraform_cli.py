"""Terraform and its AWS provider, where this machine has them.

`terraform init` gets the provider from the registry, or else from a local mirror: a folder laid out as
`registry.terraform.io/hashicorp/aws/...`, which is looked for

1. where `TF_PLUGIN_DIR` says, and then nowhere else;
2. where the CLI configuration says (`filesystem_mirror`);
3. in the usual places.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
STACK = PROJECT / "terraform" / "aws" / "data-lake"

USUAL_PLACES = (
    "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*plugins*",
)

_REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
_SECONDS = 600
_ENVIRONMENT = {
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "TF_CLI_ARGS": "-no-color",
    # Memory is freed where a command would take more than this, not before: that spares a third of its CPU time.
    "GOGC": "off",
    "GOMEMLIMIT": "600MiB",
}


class TerraformMissingError(Exception):
    """Terraform or the provider is not on this machine; the text says which, and where it was looked for."""


class TerraformError(Exception):
    """A command of Terraform failed; the text is what it printed."""


@dataclass(frozen=True)
class Terraform:
    """The program, as it runs here.

    Args:
        binary: where it is.
        environment: its environment variables.
        plugins: the local mirror of the provider; None where the registry has it.
    """

    binary: str
    environment: Mapping[str, str]
    plugins: Path | None = None

    def init(self, folder: Path, data: Path, environment: Mapping[str, str] | None = None) -> Working:
        """Make a folder ready.

        Args:
            folder: the configuration. Its backend is made ready where it has a state here, in an emulator's copy.
            data: where Terraform keeps the provider.
            environment: further environment variables of all commands there, such as those of the emulator.

        Raises:
            TerraformError: it can't be done; such as for a provider that the lock file does not know.
        """
        working = Working(self, folder, {"TF_DATA_DIR": str(data), **(environment or {})})
        mirror = () if self.plugins is None else (f"-plugin-dir={self.plugins}",)
        backend = () if environment else ("-backend=false",)
        working.run("init", "-lockfile=readonly", *backend, *mirror)
        return working


@dataclass(frozen=True)
class Working:
    """A folder of Terraform that is initialized.

    Args:
        terraform: the program.
        folder: the configuration.
        environment: further environment variables.
    """

    terraform: Terraform
    folder: Path
    environment: Mapping[str, str]

    def run(self, command: str, *arguments: str) -> str:
        """Run a command and return what it prints.

        Raises:
            TerraformError: it failed, or took longer than 10 minutes.
        """
        try:
            done = subprocess.run(
                [self.terraform.binary, command, *arguments],
                cwd=self.folder,
                env={**self.terraform.environment, **_ENVIRONMENT, **self.environment},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise TerraformError(f"terraform {command} did not end in {_SECONDS} seconds.") from None
        if done.returncode:
            raise TerraformError(f"terraform {command} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def json(self, command: str, *arguments: str) -> Any:
        """Run a command that prints one JSON document and return that."""
        return json.loads(self.run(command, "-json", *arguments))


def find(environment: Mapping[str, str]) -> Terraform:
    """Return Terraform as this machine has it.

    Args:
        environment: the environment variables; `PATH` and `HOME` say where to look.

    Raises:
        TerraformMissingError: the program or the provider is not there.
    """
    binary = shutil.which("terraform", path=environment.get("PATH", ""))
    if binary is None:
        raise TerraformMissingError("There is no terraform on the PATH.")
    usable = dict(environment)
    # Terraform warns of a configuration that is not there, in each command.
    if not Path(environment.get("TF_CLI_CONFIG_FILE", "")).is_file():
        usable.pop("TF_CLI_CONFIG_FILE", None)
    named = environment.get("TF_PLUGIN_DIR")
    if named is None and _registry_answers():
        cache = PROJECT / "target" / "terraform" / "plugins"
        cache.mkdir(parents=True, exist_ok=True)
        return Terraform(binary, {"TF_PLUGIN_CACHE_DIR": str(cache), **usable})
    places = [Path(named)] if named else list(_places(usable))
    for place in places:
        if has_provider(place):
            return Terraform(binary, usable, place.absolute())
    raise TerraformMissingError(
        f"The registry of Terraform does not answer, and hashicorp/aws {locked_version()} for {_platform()} is in none "
        f"of {', '.join(map(str, places))}. Set TF_PLUGIN_DIR to a folder that `terraform providers mirror` made."
    )


def has_provider(mirror: Path) -> bool:
    """Tell whether a local mirror has the locked provider for this machine, unpacked or as a zip."""
    provider = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    version = locked_version()
    unpacked = provider / version / _platform()
    return unpacked.is_dir() or (provider / f"terraform-provider-aws_{version}_{_platform()}.zip").is_file()


def locked_version() -> str:
    """Return the provider's version in the lock file, such as `5.100.0`."""
    lock = (STACK / ".terraform.lock.hcl").read_text(encoding="utf-8")
    return _only(re.findall(r'^  version +=\s"([^"]+)"', lock, re.MULTILINE))


def _places(environment: Mapping[str, str]) -> Iterator[Path]:
    configuration = Path(environment.get("TF_CLI_CONFIG_FILE") or Path(environment.get("HOME", "/"), ".terraformrc"))
    if configuration.is_file():
        mirrors = re.findall(r"filesystem_mirror\s*\{[^}]*?path\s*=\s*\"([^\"]+)\"", configuration.read_text("utf-8"))
        yield from map(Path, mirrors)
    for pattern in USUAL_PLACES:
        place = pattern.replace("~", environment.get("HOME", "/"))
        yield from sorted(Path("/").glob(place.lstrip("/")))


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(_REGISTRY, timeout=3):
            return True
    except OSError:
        return False


def _only(values: Sequence[str]) -> str:
    (value,) = values
    return value
