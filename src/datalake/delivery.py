"""What a deployment leaves in the lake: the project as it was built, for later builds to compare with, and its site.

Builds lie under `state/` in the form of the daily run (`datalake.chain`), the site under `site/`.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from datalake.chain import STATE
from datalake.errors import DeliveryError
from datalake.storage import About, Store

MANIFEST = "manifest.json"
RESULTS = "run_results.json"
SITE = "site/"

_STAGE = "build"
_BUILT = ("model", "seed", "snapshot", "test")
_SOUND = ("success", "pass", "warn")


@dataclass(frozen=True)
class Published:
    """A build that was kept.

    Attributes:
        run: its name; it lies under `state/runs/{run}/`.
        unsound: the unique ids of what failed or was not built, sorted; where there is none, the project was built
            whole, and builds are compared with it from now on.
    """

    run: str
    unsound: tuple[str, ...]


def fetch_manifest(store: Store, folder: Path) -> Path:
    """Copy the project as it was last built whole to a folder, for dbt's `--state`, and return the file.

    Raises:
        DeliveryError: no whole build was kept yet.
    """
    key = f"{STATE}{MANIFEST}"
    if not store.exists(key):
        raise DeliveryError(
            f"There is no {store.uri(key)} to compare with. Build the project whole first: `datalake run`, or "
            "`make deploy-build publish-state`."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with store.read(key) as file:
        (folder / MANIFEST).write_bytes(file.read())
    return folder / MANIFEST


def publish_build(store: Store, folder: Path, run: str) -> Published:
    """Keep what dbt wrote of a build; where all of the project is in it and sound, builds are compared with it.

    Args:
        store: the lake.
        folder: dbt's target folder.
        run: the run's name.

    Raises:
        DeliveryError: dbt wrote no results there, or its two files are of different runs.
    """
    bodies = {}
    for name in (MANIFEST, RESULTS):
        if not (folder / name).exists():
            raise DeliveryError(f"There is no {folder / name}: dbt built nothing there.")
        bodies[name] = (folder / name).read_bytes()
    manifest, results = orjson.loads(bodies[MANIFEST]), orjson.loads(bodies[RESULTS])
    if manifest["metadata"]["invocation_id"] != results["metadata"]["invocation_id"]:
        raise DeliveryError(f"{MANIFEST} and {RESULTS} in {folder} are of different runs of dbt. Build anew.")

    store.put(f"{STATE}runs/{run}/{_STAGE}/{RESULTS}", bodies[RESULTS])
    store.put(f"{STATE}runs/{run}/{MANIFEST}", bodies[MANIFEST])
    unsound = _unsound(manifest, results)
    if not unsound:
        store.put(f"{STATE}{MANIFEST}", bodies[MANIFEST])
    return Published(run, unsound)


def _unsound(manifest: dict[str, Any], results: dict[str, Any]) -> tuple[str, ...]:
    to_build = {unique_id for unique_id, node in manifest["nodes"].items() if node["resource_type"] in _BUILT}
    sound = {result["unique_id"] for result in results["results"] if result["status"] in _SOUND}
    return tuple(sorted(to_build - sound))


def publish_site(store: Store, folder: Path) -> int:
    """Put the lineage site in the place of the one before, and return how many files it has.

    Args:
        store: the lake.
        folder: the site, as `make docs` makes it.

    Raises:
        DeliveryError: there is no site in the folder.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    if "index.html" not in files:
        raise DeliveryError(f"There is no site in {folder}. Make it: `make docs`.")
    for name, path in files.items():
        kind, encoding = mimetypes.guess_type(name)
        store.put(f"{SITE}{name}", path.read_bytes(), About(kind or "application/octet-stream", encoding))
    for found in list(store.list(SITE)):
        if found.key.removeprefix(SITE) not in files:
            store.remove(found.key)
    return len(files)
