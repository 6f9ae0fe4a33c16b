"""The commands that ship the project: `state`, `site` and `pull-request`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from datalake.chain import new_run
from datalake.cli.options import OfTarget, Root, console, require_athena
from datalake.delivery import fetch_manifest, publish_build, publish_site
from datalake.pull_request import database, drop
from datalake.storage import S3Store
from datalake.targets import Target, lake_bucket, open_client, open_store


def fetch_state(
    root: Root,
    folder: Annotated[Path, typer.Argument(help="Where manifest.json goes.", file_okay=False)],
    target: OfTarget = Target.local,
) -> None:
    """Copy the project as it was last built whole to a folder, for dbt's `--state`."""
    with open_store(target, root) as store:
        file = fetch_manifest(store, folder)
    console.print(f"Wrote {escape(str(file))}.", soft_wrap=True, highlight=False)


def publish_state(
    root: Root,
    folder: Annotated[Path, typer.Argument(help="dbt's target folder.", file_okay=False)],
    name: Annotated[str | None, typer.Option("--run", help="The run's name, by default the time.")] = None,
    target: OfTarget = Target.local,
) -> None:
    """Keep what dbt wrote of a build in the lake; with one that is whole and sound, later builds are compared."""
    with open_store(target, root) as store:
        published = publish_build(store, folder, name or new_run(datetime.now(UTC)))
        place = store.uri(f"state/runs/{published.run}/")
    console.print(f"Kept the build in {escape(place)}.", soft_wrap=True, highlight=False)
    if published.unsound:
        shown = ", ".join(published.unsound[:5]) + (", ..." if len(published.unsound) > 5 else "")
        console.print(
            f"Builds are not compared with it, since not all of the project is built and sound in it: {escape(shown)}.",
            soft_wrap=True,
            highlight=False,
        )


def publish_lineage(
    root: Root,
    folder: Annotated[Path, typer.Argument(help="The site, as `make docs` makes it.", file_okay=False)],
    target: OfTarget = Target.local,
) -> None:
    """Put the lineage site into the lake, in the place of the one before."""
    with open_store(target, root) as store:
        count = publish_site(store, folder)
        place = store.uri("site/index.html")
    console.print(f"Published {count} files: {escape(place)}", soft_wrap=True, highlight=False)


def drop_pull_request(
    number: Annotated[int, typer.Argument(help="The pull request's number.", min=1)],
    target: OfTarget = Target.local,
) -> None:
    """Drop the database of a pull request, its tables and their files; nothing else can be named."""
    require_athena(target, "pull-request drop")
    bucket = lake_bucket()
    with open_client("glue") as glue, open_client("s3") as s3:
        dropped = drop(glue, S3Store.open(s3, bucket), number)
    console.print(
        f"Dropped {database(number)}: {dropped.tables:,} tables, {dropped.objects:,} objects.", highlight=False
    )
