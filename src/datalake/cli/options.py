"""What several commands take and print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from datalake.errors import DatalakeError
from datalake.lake import default_root
from datalake.storage import FolderStore
from datalake.targets import Target

console = Console()

Root = Annotated[
    Path,
    typer.Option("--root", envvar="DATALAKE_ROOT", help="The lake's root folder.", default_factory=default_root),
]
OfTarget = Annotated[
    Target,
    typer.Option(
        "--target", envvar="DATALAKE_TARGET", help="The target of the dbt profile; all but local are on Athena."
    ),
]
Project = Annotated[Path, typer.Option("--project", help="The dbt project's folder.")]


def require_local(target: Target, command: str) -> None:
    """Refuse a target on Athena for a command that knows the local lake only.

    Raises:
        DatalakeError: the target is not the local one.
    """
    if target is not Target.local:
        raise DatalakeError(
            f"`datalake {command}` knows the local lake only, not the target {target}. "
            "On Athena, ask with `datalake query`."
        )


def require_athena(target: Target, command: str) -> None:
    """Refuse the local target for a command that is about tables on Athena.

    Raises:
        DatalakeError: the target is the local one.
    """
    if target is Target.local:
        raise DatalakeError(
            f"`datalake {command}` is about tables on Athena; DuckDB needs none of it. Name a target, as --target dev."
        )


def to_read(root: Path) -> FolderStore:
    """Return the store at `root` without making a folder that is not there."""
    return FolderStore.open(root) if root.exists() else FolderStore(root)


def table_style(title: str) -> dict[str, Any]:
    """Return the arguments of a table without lines under a title."""
    return {"title": f"\n{title}", "title_justify": "left", "title_style": "bold", "box": None, "padding": (0, 2, 0, 0)}
