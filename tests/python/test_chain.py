"""The daily run: its stages hold every model in order, stop where one breaks, and go on from there."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from lakes import Lake
from selected import models_of
from test_dirt import FILES, THRESHOLDS

from datalake.chain import PARSED, SIDE_BY_SIDE, STAGES, Outcome, Progress, new_run, run_chain
from datalake.errors import ChainError
from datalake.storage import FolderStore

RUN = "2024-01-16T02-00-00Z"
DONE = Counter(success=1)


class Stages:
    """Stages that do nothing, of which one may break; remembers what was run."""

    def __init__(self, breaks: str = "") -> None:
        self.breaks = breaks
        self.run: list[tuple[str, str]] = []

    def __call__(self, stage: str, run: str) -> Outcome:
        self.run.append((stage, run))
        return Outcome(stage, DONE, ((stage, "why"),) if stage == self.breaks else (), 0)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.open(tmp_path)


def test_run_is_named_by_the_time_in_utc() -> None:
    assert new_run(datetime(2024, 1, 16, 3, tzinfo=timezone(timedelta(hours=1)))) == RUN
    assert new_run(datetime(2024, 1, 16, 2, tzinfo=UTC)) == RUN


def test_chain_stops_at_the_broken_stage_and_resumes_from_it(store: FolderStore) -> None:
    breaking, mended, after = Stages("metrics"), Stages(), Stages()
    outcomes = list(run_chain(store, breaking, RUN))
    assert [outcome.is_broken for outcome in outcomes] == [False, False, False, True]
    assert breaking.run == [(stage, RUN) for stage in STAGES[:4]]
    assert len(list(run_chain(store, mended, "another", resume=True))) == 2
    assert mended.run == [("metrics", RUN), ("checks", RUN)]
    with pytest.raises(ChainError, match=f"^There is nothing to resume: the last run, {RUN}, is done"):
        list(run_chain(store, after, RUN, resume=True))
    assert after.run == []


def test_killed_chain_resumes_at_the_first_stage_that_is_not_done(store: FolderStore) -> None:
    outcomes = run_chain(store, Stages(), RUN)
    assert [next(outcomes).stage for _ in range(2)] == ["raw", "orders"]
    del outcomes
    resumed = Stages()
    list(run_chain(store, resumed, RUN, resume=True))
    assert [stage for stage, _ in resumed.run] == ["beside_orders", "metrics", "checks"]


def test_chain_without_a_run_before_has_nothing_to_resume(store: FolderStore) -> None:
    with pytest.raises(ChainError, match="no run has begun yet"):
        list(run_chain(store, Stages(), RUN, resume=True))
    list(run_chain(store, Stages(), RUN))
    assert Progress.load(store) == Progress(RUN, STAGES)


@pytest.mark.server
def test_each_model_is_in_one_stage_behind_what_it_reads(lake: Lake) -> None:
    models = models_of(lake, [*STAGES[1:], *SIDE_BY_SIDE])
    stages = {stage: models.selected[stage] for stage in STAGES[1:]}
    assert sorted(name for stage in stages.values() for name in stage) == sorted(models.reads)
    built: set[str] = set()
    for stage in stages.values():
        built |= stage
        assert set().union(*(models.reads[name] for name in stage)) <= built

    sides = [models.selected[side] for side in SIDE_BY_SIDE]
    assert sorted(name for side in sides for name in side) == sorted(stages["beside_orders"])
    for side in sides:  # none waits for another
        assert set().union(*(models.reads[name] for name in side)) <= side | stages["orders"]


def land(lake: Lake) -> Lake:
    for files in FILES:
        for key, body in files.items():
            lake.put(key, body)
    return lake


def run(lake: Lake, *arguments: str, fails: bool = False, **variables: str) -> str:
    options = ["--vars", json.dumps(THRESHOLDS | variables)]
    return lake.datalake("run", *options, *arguments, fails=fails, environment={"DBT_TARGET_PATH": str(lake.target)})


@pytest.mark.server
def test_broken_run_is_resumed_and_ends_as_a_build(tmp_path: Path) -> None:
    lake = land(Lake(tmp_path / "lake"))
    said = run(lake, fails=True, calendar_start="no date")
    assert "beside_orders done in" in said
    assert "metrics broken after" in said
    assert "  dim_date: Runtime Error in model dim_date" in said
    assert "checks" not in said
    assert said.endswith("Nothing after it was run. Mend it, then go on with `datalake run --resume`.\n")
    state = lake.root / "state"
    assert not (state / "manifest.json").exists()
    (of_run,) = (state / "runs").iterdir()
    results = json.loads((of_run / "metrics" / "run_results.json").read_text())["results"]
    broken = [result["unique_id"] for result in results if result["status"] == "error"]
    assert broken == ["model.datalake.dim_date"]

    said = run(lake, "--resume")
    assert said.startswith("metrics ...\n")
    assert "checks done in" in said
    assert sorted(path.name for path in of_run.iterdir()) == sorted(["manifest.json", PARSED, *STAGES[1:]])
    assert (state / "manifest.json").read_bytes() == (of_run / "manifest.json").read_bytes()

    built = land(Lake(tmp_path / "built"))
    built.check()
    built.build(variables=THRESHOLDS)
    assert lake.content_without_times() == built.content_without_times()


@pytest.mark.server
def test_stage_alone_is_run_for_a_workflow(lake: Lake) -> None:
    land(lake)
    assert "5 broken, 13 sound" in run(lake, "--stage", "raw", "--run", "nightly")
    assert "users done in" in run(lake, "--stage", "users", "--run", "nightly")
    kept = lake.root / "state" / "runs" / "nightly"
    assert sorted(path.name for path in kept.iterdir()) == ["manifest.json", PARSED, "users"]
    assert lake.rows("select count(*) > 0 from curated_db.users") == [(True,)]
    assert "There is no stage nowhere; there are raw, orders," in run(lake, "--stage", "nowhere", fails=True)
    assert "Give --resume" in run(lake, "--stage", "raw", "--resume", fails=True)
