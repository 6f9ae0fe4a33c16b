"""The commands that build what is deployed: `package` (the Lambda functions) and `dist` (everything)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from datalake import distribution
from datalake.cli.options import Project, console
from datalake.package import RUNTIME, build


def package(
    target: Annotated[Path, typer.Argument(help="The zip to write.", dir_okay=False, metavar="ZIP")],
    python: Annotated[str, typer.Option(help="The version of Lambda's Python runtime.")] = RUNTIME,
    project: Project = Path(),
) -> None:
    """Pack the Lambda functions, with what they need, into a zip; the same input makes the same bytes."""
    made = build(project, target, python)
    console.print(
        f"Wrote {escape(str(target))}: {made.bytes / 1e6:,.0f} MB, unpacked {made.unpacked_bytes / 1e6:,.0f} MB, for "
        f"python{python} on x86_64.\nsha256 {made.sha256}",
        soft_wrap=True,
        highlight=False,
    )


def dist(
    folder: Annotated[Path, typer.Argument(help="Where the files go.", file_okay=False)] = Path("dist"),
    project: Project = Path(),
) -> None:
    """Build what the infrastructure deploys: wheel, requirements, dbt project, Lambda functions."""
    for file in distribution.build(project, folder):
        console.print(f"{escape(str(file))}: {file.stat().st_size / 1e6:,.2f} MB", soft_wrap=True, highlight=False)
