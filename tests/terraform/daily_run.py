"""The deployed Glue workflow, run on this machine as Glue would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from athena_bench.bench import Bench

RUN = "wr_1"
_SPARING = (Path(__file__).with_name("job"), Path(__file__).parents[1] / "python")
"""Where Python finds what spares a job time here."""


@dataclass(frozen=True)
class Workflow:
    """A workflow of Glue, as it is deployed.

    Args:
        bench: where it is deployed.
        name: its name.
        folder: for the scripts of its jobs, and what they write on this machine.
    """

    bench: Bench
    name: str
    folder: Path

    def run(self) -> list[str]:
        """Run the workflow, and return the names of what its triggers started, in that order.

        A schedule's trigger fires first, each other one once all that it waits for has succeeded. What a trigger starts
        runs at the same time. Crawlers are only looked at: those of the stack change no table.

        Raises:
            AssertionError: a job failed, or a trigger is not active or never fires.
        """
        waiting = self._triggers()
        succeeded: list[str] = []
        while ready := [trigger for trigger in waiting if _fires(trigger, succeeded)]:
            for trigger in ready:
                waiting.remove(trigger)
                with ThreadPoolExecutor() as pool:
                    succeeded += pool.map(self._start, trigger["Actions"])
        assert waiting == []
        return succeeded

    def _triggers(self) -> list[dict[str, Any]]:
        pages = self.bench.client("glue").get_paginator("get_triggers").paginate()
        found = [trigger for page in pages for trigger in page["Triggers"] if trigger.get("WorkflowName") == self.name]
        assert {trigger["State"] for trigger in found} == {"ACTIVATED"}
        return found

    def _start(self, action: dict[str, Any]) -> str:
        if crawler := action.get("CrawlerName"):
            self.bench.client("glue").get_crawler(Name=crawler)
            return str(crawler)
        self._run_job(action["JobName"])
        return str(action["JobName"])

    def _run_job(self, name: str) -> None:
        """Run a job's script with its arguments; the tests' own Python stands for the wheel and its requirements."""
        job = self.bench.client("glue").get_job(JobName=name)["Job"]
        folder = self.folder / name
        folder.mkdir()
        script = folder / "script.py"
        location = urlsplit(job["Command"]["ScriptLocation"])
        self.bench.client("s3").download_file(location.netloc, location.path.lstrip("/"), str(script))
        of_glue = {
            "--JOB_NAME": name,
            "--JOB_RUN_ID": f"jr_{name}",
            "--WORKFLOW_NAME": self.name,
            "--WORKFLOW_RUN_ID": RUN,
        }
        done = subprocess.run(
            [sys.executable, script, *chain.from_iterable({**job["DefaultArguments"], **of_glue}.items())],
            cwd=folder,
            env={
                **{"PATH": os.environ["PATH"], "HOME": str(folder)},
                **self.bench.environment,
                "DATALAKE_POLL_SECONDS": "0.05",
                "PYTHONPATH": os.pathsep.join(map(str, _SPARING)),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{name}:\n{done.stdout}"


def _fires(trigger: dict[str, Any], succeeded: list[str]) -> bool:
    if trigger["Type"] == "SCHEDULED":
        return True
    assert trigger["Predicate"].get("Logical", "AND") == "AND"
    states = {
        condition.get("JobName") or condition["CrawlerName"]: condition.get("State") or condition["CrawlState"]
        for condition in trigger["Predicate"]["Conditions"]
    }
    assert set(states.values()) == {"SUCCEEDED"}
    return set(states) <= set(succeeded)
