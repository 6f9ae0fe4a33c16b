"""The commands that run what takes long: `run` (the daily chain), `process` (a Glue job)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from datalake.chain import (
    RAW,
    SIDE_BY_SIDE,
    STAGES,
    Outcome,
    environment,
    new_run,
    run_chain,
    run_dbt,
    run_stages,
    timed,
)
from datalake.cli.options import OfTarget, Project, Root, console
from datalake.errors import ChainError
from datalake.glue_job import GIVE_UP_AFTER, start, wait
from datalake.ledger import check
from datalake.sources import load_sources
from datalake.targets import Target, lake_bucket, open_client, open_ledger, open_store


def run(
    root: Root,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only this stage, as a job of a workflow does; may be repeated.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last run, from the stage that broke.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--run", help="The run's name, e.g. of the workflow whose jobs run its stages.")
    ] = None,
    variables: Annotated[str, typer.Option("--vars", help="Vars of dbt, as YAML.")] = "{}",
    project: Project = Path(),
    target: OfTarget = Target.local,
) -> None:
    """Do the daily run: enter new files, build orders, what stands beside them and the metrics, then check all."""
    for each in stage or ():
        if each not in (*STAGES, *SIDE_BY_SIDE):
            raise ChainError(f"There is no stage {each}; there are {', '.join((*STAGES, *SIDE_BY_SIDE))}.")
    if resume and (stage or name):
        raise ChainError("Give --resume alone, without --stage and --run: it goes on with the chain of the last run.")

    with open_store(target, root) as store, environment(DATALAKE_ROOT=str(root), DATALAKE_TARGET=target):

        def run_stage(each: str, of: str) -> Outcome:
            console.print(f"{each} ...")
            if each == RAW:
                return timed(each, lambda: _check(target, root, project))
            return run_dbt(store, each, of, project, ["--target", target, "--vars", variables])

        name = name or new_run(datetime.now(UTC))
        outcomes = run_stages(stage, name, run_stage) if stage else run_chain(store, run_stage, name, resume)
        broken = [outcome for outcome in map(_told, outcomes) if outcome.is_broken]
    if broken:
        again = f"run --stage {broken[0].stage}" if stage else "run --resume"
        console.print(f"Nothing after it was run. Mend it, then go on with `datalake {again}`.", soft_wrap=True)
        raise typer.Exit(1)


def _check(target: Target, root: Path, project: Path) -> Counter[str]:
    with open_ledger(target, root) as (store, ledger):
        checked = check(store, ledger, load_sources(project / "models" / "raw"), datetime.now(UTC))
    return Counter(sound=checked.files - len(checked.broken), broken=len(checked.broken))


def _told(outcome: Outcome) -> Outcome:
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(outcome.counts.items()) if count)
    state = "[red]broken[/] after" if outcome.is_broken else "done in"
    told = f": {counts}" if counts else ""
    console.print(f"{outcome.stage} {state} {outcome.seconds:.1f} s{told}", highlight=False)
    for name, why in outcome.failures:
        console.print(f"  [red]{escape(name)}[/]: {escape(why)}", soft_wrap=True, highlight=False)
    return outcome


def process(
    job: Annotated[str, typer.Argument(help="The Glue job's name.")],
    input_path: Annotated[
        str | None, typer.Option(help="The raw location that it reads; by default s3://DATALAKE_BUCKET/raw/.")
    ] = None,
    output_path: Annotated[
        str | None,
        typer.Option(help="The curated location that it writes; by default s3://DATALAKE_BUCKET/curated_db/."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="The run's name, by which a retry is known: the same again finds the run that was started."),
    ] = None,
    is_awaited: Annotated[bool, typer.Option("--wait/--no-wait", help="Await the run's end.")] = True,
    timeout: Annotated[
        float, typer.Option(help="Minutes after which the run is awaited no longer; it runs on.", min=0)
    ] = GIVE_UP_AFTER / 60,
) -> None:
    """Run a Glue job, once for each token, and await its end; ends with 1 where it fails."""
    input_path = input_path or _location("raw")
    output_path = output_path or _location("curated_db")
    with open_client("glue") as client:
        run_id = start(client, job, input_path=input_path, output_path=output_path, token=token)
        console.print(f"Run {run_id} of {escape(job)}.", soft_wrap=True, highlight=False)
        if not is_awaited:
            return
        with console.status("Waiting") as status:
            done = wait(
                client,
                job,
                run_id,
                give_up_after=timeout * 60,
                progress=lambda state: status.update(f"{escape(job)} is {state}"),
            )
    console.print(f"It succeeded after {done.seconds:,} seconds.")


def _location(folder: str) -> str:
    return f"s3://{lake_bucket('give --input-path and --output-path')}/{folder}/"
