"""What the workflows of GitHub do, when, and with which rights; and that each of their steps works on a lake here."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from lakes import PROJECT, WITH_ARTIFACTS, Lake

from datalake.delivery import fetch_manifest
from datalake.layout import raw_folder
from datalake.storage import FolderStore

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yml"))]
TAKES_A_ROLE = "aws-actions/configure-aws-credentials"

DOES = {
    ("pull-request.yml", "lint"): ["make lint"],
    ("pull-request.yml", "test"): ["make test"],
    ("pull-request.yml", "slim-build"): ["pull-request", "AWS_ROLE_ARN", "make slim-build"],
    ("pull-request-closed.yml", "slim-drop"): ["pull-request", "AWS_ROLE_ARN", "make slim-drop"],
    ("deploy.yml", "ci"): ["deploy-lake.yml of ci"],
    ("deploy.yml", "prod"): ["after ci", "deploy-lake.yml of prod"],
    ("deploy-lake.yml", "plan"): ["${{ inputs.environment }}-plan", "AWS_ROLE_ARN", "make terraform-plan"],
    ("deploy-lake.yml", "deploy"): [
        "after plan",
        "${{ inputs.environment }}",
        "AWS_ROLE_ARN",
        "make terraform-apply",
        "AWS_PIPELINE_ROLE_ARN",
        "make deploy-build",
        "make publish-state",
        "make docs",
        "make publish-site",
        "AWS_ROLE_ARN",
        "make terraform-grant",
    ],
    ("nightly.yml", "nightly"): ["nightly", "AWS_ROLE_ARN", "make nightly"],
}
"""By job: what it waits for, its environment, then in turn the roles that it takes and the commands that it runs."""

RUN_BY = {
    "lint": "Makefile",  # a part of `make test`
    "test": "Makefile",
    "slim-build": "tests/athena/test_pull_request.py",
    "slim-drop": "tests/athena/test_pull_request.py",
    "docs": "README.md",  # tests/python/test_readme.py
} | dict.fromkeys(
    (
        *("terraform-plan", "terraform-apply", "terraform-grant", "deploy-build", "publish-state", "publish-site"),
        "nightly",
    ),
    "tests/python/test_workflows.py",
)
"""By target that a workflow calls: what runs it here."""


@cache
def read(path: Path) -> Any:
    """A file of YAML with all scalars as text, so that the key `on` stays one."""
    return yaml.load(path.read_text(), yaml.BaseLoader)


def jobs() -> dict[tuple[str, str], Any]:
    return {(path.name, name): job for path in WORKFLOWS for name, job in read(path)["jobs"].items()}


def steps(path: Path) -> list[Any]:
    content = read(path)
    parts = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for part in parts for step in part.get("steps", [])]


def commands() -> list[tuple[str, str]]:
    return [(path.name, step["run"]) for path in FILES for step in steps(path) if "run" in step]


def uses() -> list[tuple[str, str]]:
    """By file: what stands behind each `uses:`, with its comment."""
    return [(path.name, found) for path in FILES for found in re.findall(r"uses: (.+)", path.read_text())]


@cache
def targets() -> set[str]:
    """The targets that make knows, as make itself says."""
    printed = subprocess.run(["make", "-qp"], cwd=PROJECT, capture_output=True, text=True).stdout
    known = re.sub(r"# Not a target:\n\S+:", "", printed)
    return set(re.findall(r"^([a-z-]+):(?!=)", known, re.MULTILINE))


def does(job: Any) -> list[str]:
    """What a job waits for, its environment, then in turn the roles that it takes and the commands that it runs."""
    done = [f"after {job['needs']}"] if "needs" in job else []
    done += [job["environment"]] if "environment" in job else []
    if "uses" in job:
        done.append(f"{Path(job['uses']).name} of {job['with']['environment']}")
    for step in job.get("steps", []):
        if step.get("uses", "").startswith(TAKES_A_ROLE):
            done += re.findall(r"vars\.(\w+)", step["with"]["role-to-assume"])
        done += [step["run"]] if "run" in step else []
    return done


class TestDeclaration:
    @pytest.mark.parametrize(("file", "command"), commands())
    def test_step_calls_one_target_of_make_and_nothing_else(self, file: str, command: str) -> None:
        found = re.fullmatch(r"make ([a-z-]+)", command)
        assert found, f"{file} runs {command}"
        assert found[1] in targets()

    @pytest.mark.parametrize(("file", "used"), uses())
    def test_action_of_others_is_pinned_by_its_commit(self, file: str, used: str) -> None:
        assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), file

    def test_each_job_does_what_it_is_for(self) -> None:
        assert {name: does(job) for name, job in jobs().items()} == DOES

    def test_workflows_begin_when_they_should(self) -> None:
        assert {path.name: read(path)["on"] for path in WORKFLOWS} == {
            "pull-request.yml": {"pull_request": ""},
            "pull-request-closed.yml": {"pull_request": {"types": ["closed"]}},
            "deploy.yml": {"push": {"branches": ["main"]}, "workflow_dispatch": ""},
            "deploy-lake.yml": read(GITHUB / "workflows/deploy-lake.yml")["on"],
            "nightly.yml": {"schedule": [{"cron": "0 5 * * *"}], "workflow_dispatch": ""},
        }
        assert list(read(GITHUB / "workflows/deploy-lake.yml")["on"]) == ["workflow_call"]

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_no_key_is_stored(self, path: Path) -> None:
        text = path.read_text()
        assert re.findall(r"secrets\b|aws-(?:access-key|secret|session-token)", text) == []

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_workflow_has_no_rights_but_those_of_its_jobs(self, path: Path) -> None:
        assert read(path)["permissions"] == {}

    @pytest.mark.parametrize("name", jobs(), ids="-".join)
    def test_token_is_for_jobs_that_take_a_role(self, name: tuple[str, str]) -> None:
        job = jobs()[name]
        takes_a_role = "uses" in job or any(step.get("uses", "").startswith(TAKES_A_ROLE) for step in job["steps"])
        assert job["permissions"] == {"contents": "read", **({"id-token": "write"} if takes_a_role else {})}

    def test_fork_gets_no_token(self) -> None:
        own = "github.event.pull_request.head.repo.full_name == github.repository"
        of_pull_requests = [job for job in jobs().values() if job.get("environment") == "pull-request"]
        assert [job["if"] for job in of_pull_requests] == [own, own]

    def test_nothing_is_built_behind_the_drop(self) -> None:
        groups = [
            read(GITHUB / "workflows" / name)["concurrency"] for name in ("pull-request.yml", "pull-request-closed.yml")
        ]
        assert groups[0] == groups[1]
        assert groups[0]["cancel-in-progress"] == "true"

    def test_build_of_prod_is_the_one_of_its_environment(self) -> None:
        environment = jobs()["deploy-lake.yml", "deploy"]["env"]
        assert environment["DATALAKE_TARGET"] == "${{ inputs.environment }}"
        assert jobs()["nightly.yml", "nightly"]["env"]["DATALAKE_TARGET"] == "prod"

    def test_each_target_that_is_called_is_run_here(self) -> None:
        called = {command.removeprefix("make ") for _, command in commands()}
        assert set(RUN_BY) == called
        for target, path in RUN_BY.items():
            assert re.search(rf"\b{target}\b", (PROJECT / path).read_text()), target

    def test_what_a_user_sets_is_told(self) -> None:
        told = (PROJECT / "docs" / "ci.md").read_text()
        read_by_them = {found for path in FILES for found in re.findall(r"vars\.(\w+)", path.read_text())}
        environments = {job["environment"] for job in jobs().values() if "environment" in job}
        named = {name.replace("${{ inputs.environment }}", "prod") for name in environments}
        assert {name for name in read_by_them | named if f"`{name}`" not in told} == set()


TERRAFORM = r"""#!/bin/bash
echo "terraform $* built=${TF_VAR_lake_is_built:-}" >> "$CALLS"
case $1 in
    output) cat "$CHECKOUT/built" 2> /dev/null || exit 1 ;;
    plan) for option in "$@"; do [[ $option != -out=* ]] || cp "$CHECKOUT/changes" "${option#-out=}"; done ;;
    show) cat "$3" ;;
esac
"""
"""It plans what the file `changes` holds, and knows of the lake what the file `built` says."""

OTHER = r"""#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
[[ " $FAILING " != *" ${0##*/} $1 "* ]]
"""


class Checkout:
    """The project's Makefile in a folder of its own, with stand-ins for the programs that it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = folder / "terraform" / "aws" / "data-lake"
        self.stack.mkdir(parents=True)
        for name in (
            *("Makefile", "ci.mk", "terraform/ship.sh"),
            *("requirements.lock", "pyproject.toml", "profiles.yml.example"),
        ):
            (folder / name).write_bytes((PROJECT / name).read_bytes())
        (folder / "terraform/ship.sh").chmod(0o755)
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, script in {"terraform": TERRAFORM, "dbt": OTHER, "datalake": OTHER}.items():
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        (folder / ".venv" / ".ready").touch()
        (folder / "changes").write_text("one to add\n")

    def make(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Run make and return what it prints."""
        places = {"CHECKOUT": str(self.folder), "CALLS": str(self.folder / "calls"), "FAILING": ""}
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            places[name] = str(self.folder / name)
        done = subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={**os.environ, "MAKEFLAGS": "", **places, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def calls(self, beginning: str) -> list[str]:
        """The calls so far that begin so."""
        calls = self.folder / "calls"
        return [call for call in calls.read_text().splitlines() if call.startswith(beginning)] if calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


class TestPlanAndApply:
    def shown(self, checkout: Checkout) -> str:
        """Plan, as the first job does, and return the digest for the second, without the plan itself."""
        checkout.make("terraform-plan", DATALAKE_TARGET="prod")
        (checkout.folder / "target/terraform/prod/plan").unlink()
        return (checkout.folder / "GITHUB_OUTPUT").read_text().strip().removeprefix("digest=")

    def test_plan_is_shown_before_it_is_applied(self, checkout: Checkout) -> None:
        digest = self.shown(checkout)
        assert digest == hashlib.sha256(b"one to add\n").hexdigest()
        assert "## Plan of prod\n```\none to add\n```" in (checkout.folder / "GITHUB_STEP_SUMMARY").read_text()
        assert checkout.calls("datalake dist") == ["datalake dist dist"]
        assert checkout.calls("terraform apply") == []
        checkout.make("terraform-apply", DATALAKE_TARGET="prod", SHOWN_PLAN=digest)
        plan = checkout.folder / "target/terraform/prod/plan"
        assert checkout.calls("terraform apply") == [f"terraform apply {plan} built=false"]

    def test_plan_that_nobody_saw_is_not_applied(self, checkout: Checkout) -> None:
        digest = self.shown(checkout)
        (checkout.folder / "changes").write_text("all to destroy\n")
        said = checkout.make("terraform-apply", fails=True, DATALAKE_TARGET="prod", SHOWN_PLAN=digest)
        assert "This is not the plan that was shown" in said
        assert checkout.calls("terraform apply") == []

    def test_by_hand_nothing_is_applied_without_a_plan(self, checkout: Checkout) -> None:
        said = checkout.make("terraform-apply", fails=True, DATALAKE_TARGET="prod")
        assert "There is no plan of prod: make terraform-plan, and read it." in said
        assert checkout.calls("terraform apply") == []

    def test_variables_of_the_environment_are_taken(self, checkout: Checkout) -> None:
        (checkout.stack / "prod.tfvars").touch()
        checkout.make("terraform-plan", DATALAKE_TARGET="prod", TERRAFORM_STATE_BUCKET="states")
        assert "-var-file=prod.tfvars" in checkout.calls("terraform plan")[0]
        assert "bucket=states -backend-config=key=data-lake/prod.tfstate" in checkout.calls("terraform init")[0]

    def test_lake_that_was_granted_on_stays_granted_on(self, checkout: Checkout) -> None:
        checkout.make("terraform-grant", DATALAKE_TARGET="prod")
        assert checkout.calls("terraform apply") == ["terraform apply -auto-approve built=true"]
        (checkout.folder / "built").write_text("true")
        checkout.make("terraform-plan", DATALAKE_TARGET="prod")
        assert checkout.calls("terraform plan")[0].endswith("built=true")

    @pytest.mark.parametrize("target", ["", "local", "production", "../prod"])
    def test_environment_that_is_none_is_refused(self, checkout: Checkout, target: str) -> None:
        assert "Set DATALAKE_TARGET to dev, ci or prod" in checkout.make(
            "terraform-plan", fails=True, DATALAKE_TARGET=target
        )
        assert checkout.calls("terraform") == []


NIGHTLY = ("freshness", "recount", "maintain", "alerts")
NIGHT = ["dbt source", "dbt build", "dbt run-operation", "datalake monitor"]


@pytest.mark.parametrize("failing", NIGHT)
def test_night_goes_on_where_something_fails_and_says_so(checkout: Checkout, failing: str) -> None:
    checkout.make("nightly", fails=True, FAILING=failing)
    assert [" ".join(call.split()[:2]) for call in checkout.calls("")] == NIGHT


ORDER = (
    '{"order_id": "A", "customer_id": "c", "product_id": "p", "quantity": 1, "price": 2, "discount": 0, '
    '"created_at": "2024-01-15T10:00:00Z"}\n'
)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of one order as a deployment leaves it, made by make itself."""
    folder = tmp_path_factory.mktemp("deployed")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<html>")
    lake = Lake(folder / "lake")
    lake.put(f"{raw_folder('orders', datetime.now(UTC))}orders.json", ORDER.encode())
    lake.run(
        *("make", "deploy-build", "publish-state", "publish-site"),
        *(f"DEPLOYED={lake.target}", f"SITE={folder / 'site'}"),
        environment={**WITH_ARTIFACTS, "DBT_LOG_PATH": str(folder / "logs"), "MAKEFLAGS": ""},
    )
    return lake


@pytest.mark.server
class TestOnTheLocalLake:
    def test_deployment_leaves_its_tables_its_state_and_its_site(self, deployed: Lake, tmp_path: Path) -> None:
        assert deployed.rows("select order_id, total from curated_db.orders") == [("A", 2)]
        manifest = fetch_manifest(FolderStore.open(deployed.root), tmp_path / "main")
        assert manifest.read_bytes() == (deployed.target / "manifest.json").read_bytes()
        assert (deployed.root / "site" / "index.html").read_text() == "<html>"

    def test_night_finds_what_is_stale_and_what_is_lost(self, deployed: Lake) -> None:
        freshness, recount, maintain, alerts = (command for target in NIGHTLY for command in recipe(target))
        said = deployed.dbt(*freshness[1:], fails=True)
        assert re.search(r"PASS freshness of raw_db\.orders", said)
        assert re.search(r"ERROR .*freshness of raw_db\.users", said)
        assert "The local lake needs no maintenance" in deployed.dbt(*maintain[1:])
        assert alerts == ["datalake", "monitor"]  # tests/python/test_monitor.py

        deployed.dbt(*recount[1:])
        with duckdb.connect(str(deployed.root / "lake.duckdb")) as connection:
            connection.execute("delete from curated_db.orders")
        assert re.search(r"FAIL 1 .*reconciliation", deployed.dbt(*recount[1:], fails=True))


def recipe(target: str) -> list[list[str]]:
    """The commands of one of make's targets, as make would run them."""
    said = Lake(PROJECT).run("make", "--dry-run", "--no-print-directory", target, environment={"MAKEFLAGS": ""})
    return [shlex.split(line) for line in said.replace("\\\n", "").splitlines()]
