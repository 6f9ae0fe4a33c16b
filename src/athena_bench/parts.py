"""The parts of the engine: Trino's server and its plugins for Hive and Iceberg, from Maven's central repository."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import requests
from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from athena_bench.errors import PartsError

TRINO_VERSION = "476"
"""The last release whose server and plugins are published one by one."""

CACHE_VARIABLE = "ATHENA_BENCH_CACHE"
"""The environment variable that names another folder for the unpacked engine."""


@dataclass(frozen=True)
class Part:
    """One archive of the group `io.trino`.

    Attributes:
        name: its artifact.
        packaging: `tar.gz` or `zip`.
        folder: where its content lies under the engine's home.
        size: its bytes.
        sha256: its checksum.
    """

    name: str
    packaging: str
    folder: str
    size: int
    sha256: str


_LAYOUT = "2"
"""Another one, whenever something else is unpacked, or elsewhere: then a home of before is not taken for it."""

PARTS = (
    Part(
        "trino-server-core",
        "tar.gz",
        ".",
        194_358_953,
        "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
    ),
    Part(
        "trino-iceberg",
        "zip",
        "plugin/iceberg",
        345_890_737,
        "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c",
    ),
)

_KEPT = ("geospatial", "iceberg")
"""The plugins that Athena's SQL needs; of the server's others, each start would open hundreds of archives."""


def cache_folder() -> Path:
    """Return the folder of the unpacked engine: $ATHENA_BENCH_CACHE, or the user's cache."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("athena-bench"))


def install(cache: Path | None = None) -> Path:
    """Return the engine's home, downloaded (540 MB), verified and unpacked where it is missing.

    Whole or not at all: a home that exists is complete. Several processes may ask at once.

    Raises:
        PartsError: an archive can't be had, or its checksum is another.
    """
    cache = cache or cache_folder()
    home = cache / f"trino-{TRINO_VERSION}-{_LAYOUT}"
    if home.exists():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / ".installing"):
        if home.exists():
            return home
        with tempfile.TemporaryDirectory(dir=cache, prefix="unpacking-") as folder:
            unpacked = Path(folder) / home.name
            with _progress() as bar:
                for part in PARTS:
                    archive = _download(part, Path(folder) / "archives", bar)
                    _verify(part, archive)
                    _unpack(part, archive, unpacked)
                    archive.unlink()
            _arrange_plugins(unpacked / "plugin")
            unpacked.rename(home)
    return home


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file that one process may hold at a time; others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Bar:
    """One bar for all archives, fed by the downloader."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Trino", total=sum(part.size for part in PARTS))

    @contextmanager
    def __call__(self, filename: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: self._progress.update(self._task, advance=count)


@contextmanager
def _progress() -> Iterator[_Bar]:
    columns = (TextColumn("Downloading {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Bar(progress)


def _download(part: Part, folder: Path, bar: _Bar) -> Path:
    context = MavenContext(resolver=PythonResolver(progress_callback=bar), repo_cache=folder, timeout=60)
    artifact = context.project("io.trino", part.name).at_version(TRINO_VERSION).artifact(packaging=part.packaging)
    try:
        return Path(artifact.resolve())
    except (RuntimeError, OSError, requests.RequestException) as error:
        raise PartsError(
            f"io.trino:{part.name}:{TRINO_VERSION} can't be downloaded from Maven Central: {error}. "
            "The engine needs it once; check the network and start again."
        ) from error


def _verify(part: Part, archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != part.sha256:
        raise PartsError(
            f"io.trino:{part.name}:{TRINO_VERSION} has the SHA-256 checksum {found}, not {part.sha256}: "
            "it was changed on its way, or cut off. Nothing was installed; start again."
        )


def _unpack(part: Part, archive: Path, home: Path) -> None:
    folder = home / part.folder
    scratch = home.with_name("scratch")
    if part.packaging == "zip":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(scratch)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
    (only,) = scratch.iterdir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(only, folder)
    scratch.rmdir()


def _arrange_plugins(folder: Path) -> None:
    """Leave only the plugins that are used, and have Hive's loaded together with Iceberg's, whose archive holds it.

    Each of its own would load and compile most of their classes a second time.
    """
    for plugin in folder.iterdir():
        if plugin.name not in _KEPT:
            shutil.rmtree(plugin)
    with zipfile.ZipFile(folder / "iceberg" / "hive-services.jar", "w") as jar:
        jar.writestr("META-INF/services/io.trino.spi.Plugin", "io.trino.plugin.hive.HivePlugin\n")
