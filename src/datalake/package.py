"""The zip of the Lambda functions, `handle` of `datalake.handler`, `datalake.arrivals` and `datalake.watch`.

It holds the modules that these reach, `alerts.yml` and the source YAML, and the packages of the extra `lambda` in
`pyproject.toml` with what they need, at the versions and hashes of `requirements.lock`. boto3 is in Lambda's runtime.
The same input makes the same bytes, so that nothing is deployed anew that did not change.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from modulefinder import ModuleFinder
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from datalake.errors import PackagingError

RUNTIME = "3.13"
"""Lambda's runtimes since Python 3.12 are on Amazon Linux 2023 (glibc 2.34). That of 3.11 has glibc 2.26, which pyarrow
no longer runs on: its wheels are manylinux_2_28.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

MOST_BYTES = 250 << 20
"""What Lambda unpacks: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_PLATFORM = "x86_64-manylinux_2_28"

_FUNCTIONS = ("datalake.handler", "datalake.arrivals", "datalake.watch")

_LEFT_OUT = (
    "bin/*",
    "*/__pycache__/*",
    "*.pyi",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    ".lock",
    # To build against pyarrow, and its own tests.
    "pyarrow/include/*",
    "pyarrow/includes/*",
    "pyarrow/src/*",
    "pyarrow/tests/*",
    "pyarrow/*.p[xy][xdi]",
    # Nothing here has to do with Flight, ORC or Hadoop, and S3 is boto3's.
    "pyarrow/*flight*",
    "pyarrow/*s3*",
    "pyarrow/_orc.*",
    "pyarrow/_hdfs.*",
    # The same bytes again under other names; the loader asks for libarrow_python.so.2600.
    "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*",
)
"""What the packages bring that no function needs."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can hold."""


@dataclass(frozen=True)
class Package:
    """A zip that was made.

    Attributes:
        sha256: its digest.
        bytes: its size.
        unpacked_bytes: that of its files.
    """

    sha256: str
    bytes: int
    unpacked_bytes: int


def build(project: Path, target: Path, python: str = RUNTIME) -> Package:
    """Make the zip of the Lambda functions.

    Args:
        project: the dbt project's folder, with `pyproject.toml` and `requirements.lock`.
        target: the zip; one that is there is replaced once the new one is whole.
        python: the version of Lambda's runtime, e.g. 3.13.

    Raises:
        PackagingError: uv is missing, a package can't be had as it is locked, or there is more than Lambda unpacks.
    """
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder)
        _install(project, packages, python)
        files = {
            **dict(_files(packages)),
            **dict(_modules()),
            "datalake/alerts.yml": Path(__file__).with_name("alerts.yml"),
            **{f"models/raw/{file.name}": file for file in (project / "models" / "raw").glob("*.yml")},
        }
        unpacked = sum(file.stat().st_size for file in files.values())
        if unpacked > MOST_BYTES:
            raise PackagingError(f"The functions have {unpacked:,} bytes, and Lambda unpacks {MOST_BYTES:,} at most.")
        pack(target, files)
    body = target.read_bytes()
    return Package(hashlib.sha256(body).hexdigest(), len(body), unpacked)


def pack(target: Path, files: Mapping[str, Path]) -> None:
    """Write files to a zip whose bytes depend on nothing but their names and what they hold.

    Args:
        target: the zip; one that is there is replaced once the new one is whole.
        files: the files by their names in it.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        with ZipFile(partial, "w", ZIP_DEFLATED) as archive:
            for name in sorted(files):
                entry = ZipInfo(name, _EPOCH)
                entry.compress_type = ZIP_DEFLATED
                entry.create_system = 3  # Unix, whose permissions follow; Lambda's user is another than the owner
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, files[name].read_bytes())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def find_uv() -> str:
    """Return the path of uv.

    Raises:
        PackagingError: it is not here.
    """
    uv = shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv")
    if uv is None:
        raise PackagingError(
            "The packages are fetched with uv, which is not here. It comes with the development tools: run make."
        )
    return uv


def _install(project: Path, folder: Path, python: str) -> None:
    uv = find_uv()
    lock = project / "requirements.lock"
    pins = _pins(project / "pyproject.toml", lock)
    command = [
        *(uv, "pip", "install", "--quiet", "--no-progress"),
        *("--target", str(folder), "--python-version", python, "--python-platform", _PLATFORM),
        *("--only-binary", ":all:", "--require-hashes", "--constraints", str(lock), "--requirements", "-"),
    ]
    done = subprocess.run(command, input="\n".join(pins), stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise PackagingError(f"The packages of the functions can't be had:\n{done.stderr.strip()}")


def _pins(pyproject: Path, lock: Path) -> list[str]:
    """Return what the extra `lambda` asks for, at the locked versions."""
    extra = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["lambda"]
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    pins = []
    for requirement in extra:
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()
        if name not in locked:
            raise PackagingError(f"{lock} has no {name}, which the extra `lambda` asks for. Run make lock.")
        pins.append(f"{name}=={locked[name]}")
    return pins


def _files(packages: Path) -> Iterator[tuple[str, Path]]:
    for file in packages.rglob("*"):
        name = file.relative_to(packages).as_posix()
        if file.is_file() and not any(fnmatch(name, pattern) for pattern in _LEFT_OUT):
            yield name, file


def _modules() -> Iterator[tuple[str, Path]]:
    """Yield the modules of this package that the functions import, at their start or later."""
    source = Path(__file__).parents[1]
    finder = ModuleFinder(path=[str(source)])
    for function in _FUNCTIONS:
        finder.import_hook(function)
    for module in finder.modules.values():
        if found := getattr(module, "__file__", None):  # what is built in has none
            yield Path(found).relative_to(source).as_posix(), Path(found)
