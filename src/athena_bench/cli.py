"""The command line: `athena-bench serve`."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from athena_bench import parts
from athena_bench.bench import DEFAULT_BUCKET, Bench
from athena_bench.errors import BenchError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A local Athena for tests.")


@app.command()
def install() -> None:
    """Download and unpack the engine (540 MB), once."""
    print(parts.install())


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The port of the AWS APIs; 0 takes a free one.")] = 4566,
    bucket: Annotated[list[str], typer.Option(help="A bucket that exists from the start.")] = [DEFAULT_BUCKET],  # noqa: B006
    workgroup: Annotated[list[str], typer.Option(help="A workgroup that exists from the start, beside primary.")] = [],  # noqa: B006
    region: Annotated[str, typer.Option(help="The AWS region of all calls.")] = "us-east-1",
    heap: Annotated[str, typer.Option(help="The largest size of the engine's heap.")] = "2G",
    log: Annotated[bool, typer.Option(help="Show each statement as received and as run.")] = True,
) -> None:
    """Hold a local Athena open until Ctrl-C; prints the environment variables to set."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("athena_bench").setLevel(logging.INFO if log else logging.WARNING)
    logging.getLogger("trino").setLevel(logging.WARNING)  # it tells of each try while the engine starts
    # Both ways to stop it go through the context manager; a shell has its background jobs ignore the first.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        with Bench(port, region, bucket, workgroup, heap) as bench:
            for name, value in bench.environment.items():
                print(f"export {name}={value}")
            print(f"# buckets: {', '.join(bench.buckets)}; workgroups: {', '.join(('primary', *bench.workgroups))}")
            print("# Ready. Stop with Ctrl-C.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return
    except (BenchError, OSError, ClientError) as error:
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def main() -> None:
    """Run the command line."""
    app()
