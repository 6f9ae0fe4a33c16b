"""What a deployment leaves in the lake, and how the database of a pull request goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from lakes import Lake
from moto import mock_aws

from datalake.delivery import SITE, fetch_manifest, publish_build, publish_site
from datalake.errors import DeliveryError
from datalake.pull_request import Dropped, database, drop
from datalake.storage import FolderStore, S3Store

BUCKET = "company-datalake-ci"
STATES = {"model.orders": "success", "test.orders": "pass", "test.volume": "warn", "seed.segments": "success"}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.open(tmp_path / "lake")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """dbt's target folder."""
    return write_build(tmp_path / "target", STATES)


def write_build(folder: Path, states: dict[str, str], invocation: str = "one", run: str = "one") -> Path:
    """Write what dbt does of a build of the nodes of `STATES` and a unit test, of which `states` were run."""
    nodes = {name: {"resource_type": name.partition(".")[0]} for name in STATES}
    nodes["unit_test.orders"] = {"resource_type": "unit_test"}
    results = [{"unique_id": name, "status": status} for name, status in states.items()]
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"metadata": {"invocation_id": invocation}, "nodes": nodes}))
    (folder / "run_results.json").write_text(json.dumps({"metadata": {"invocation_id": run}, "results": results}))
    return folder


def keys(store: FolderStore | S3Store) -> list[str]:
    """The keys of what these tests write, and of what must stay beside it."""
    folders = ("curated_db", "pr_7", "pr_70", "site", "sites", "state")
    return sorted(found.key for folder in folders for found in store.list(folder))


class TestState:
    def test_build_that_is_whole_and_sound_is_compared_with(
        self, store: FolderStore, built: Path, tmp_path: Path
    ) -> None:
        published = publish_build(store, built, "nightly")
        assert (published.run, published.unsound) == ("nightly", ())
        assert keys(store) == [
            "state/manifest.json",
            "state/runs/nightly/build/run_results.json",
            "state/runs/nightly/manifest.json",
        ]
        fetched = fetch_manifest(store, tmp_path / "some" / "main")
        assert fetched == tmp_path / "some" / "main" / "manifest.json"
        assert fetched.read_bytes() == (built / "manifest.json").read_bytes()

    @pytest.mark.parametrize("status", ["fail", "error", "skipped", "partial success", None])
    def test_build_with_something_unsound_is_kept_and_not_compared_with(
        self, store: FolderStore, tmp_path: Path, status: str | None
    ) -> None:
        states = {name: state for name, state in STATES.items() if name != "test.orders"}
        built = write_build(tmp_path / "target", states | ({"test.orders": status} if status else {}))
        assert publish_build(store, built, "nightly").unsound == ("test.orders",)
        assert keys(store) == ["state/runs/nightly/build/run_results.json", "state/runs/nightly/manifest.json"]
        with pytest.raises(DeliveryError, match=r"to compare with\. Build the project whole first: `datalake run`"):
            fetch_manifest(store, tmp_path / "main")

    def test_files_of_different_runs_are_refused(self, store: FolderStore, tmp_path: Path) -> None:
        built = write_build(tmp_path / "target", STATES, run="another")
        with pytest.raises(DeliveryError, match=r"are of different runs of dbt\. Build anew\.$"):
            publish_build(store, built, "nightly")
        assert keys(store) == []

    @pytest.mark.parametrize("missing", ["manifest.json", "run_results.json"])
    def test_folder_without_a_build_is_refused(self, store: FolderStore, built: Path, missing: str) -> None:
        (built / missing).unlink()
        with pytest.raises(DeliveryError, match=f"{missing}: dbt built nothing there"):
            publish_build(store, built, "nightly")
        assert keys(store) == []

    def test_commands_say_what_they_did(self, lake: Lake, tmp_path: Path) -> None:
        unsound = write_build(tmp_path / "unsound", {**STATES, "test.orders": "fail"})
        said = lake.datalake("state", "publish", str(unsound), "--run", "nightly")
        assert f"Kept the build in {lake.root}/state/runs/nightly/." in said
        assert "not all of the project is built and sound in it: test.orders." in said
        said = lake.datalake("state", "fetch", str(tmp_path / "main"), fails=True)
        assert said.startswith("datalake: There is no ")
        lake.datalake("state", "publish", str(write_build(tmp_path / "sound", STATES)))
        said = lake.datalake("state", "fetch", str(tmp_path / "main"))
        assert said == f"Wrote {tmp_path}/main/manifest.json.\n"


@pytest.fixture
def bucket() -> Iterator[S3Store]:
    """The lake's bucket in an account of this process."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield S3Store.open(s3, BUCKET)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "data").mkdir(parents=True)
    (folder / "index.html").write_text("<html>")
    (folder / "data" / "lineage.json").write_text("{}")
    return folder


class TestSite:
    def test_site_takes_the_place_of_the_one_before(self, bucket: S3Store, site: Path) -> None:
        bucket.put("site/old.js", b"")
        bucket.put("site/index.html", b"old")
        bucket.put("sites/another", b"")
        assert publish_site(bucket, site) == 2
        assert keys(bucket) == ["site/data/lineage.json", "site/index.html", "sites/another"]
        with bucket.read("site/index.html") as page:
            assert page.read() == b"<html>"

    def test_browser_is_told_what_a_file_is(self, bucket: S3Store, site: Path) -> None:
        publish_site(bucket, site)
        s3 = boto3.client("s3", region_name="us-east-1")
        kinds = {key: s3.head_object(Bucket=BUCKET, Key=key)["ContentType"] for key in keys(bucket)}
        assert kinds == {"site/index.html": "text/html", "site/data/lineage.json": "application/json"}

    def test_folder_without_a_site_leaves_the_one_before(self, store: FolderStore, tmp_path: Path) -> None:
        store.put(f"{SITE}index.html", b"old")
        (tmp_path / "empty").mkdir()
        with pytest.raises(DeliveryError, match="Make it: `make docs`"):
            publish_site(store, tmp_path / "empty")
        assert keys(store) == ["site/index.html"]


class TestDropOfAPullRequest:
    @pytest.fixture
    def glue(self, bucket: S3Store) -> Any:
        """The catalog, with more tables of pull request 7 than a page holds, and what must stay."""
        glue = boto3.client("glue", region_name="us-east-1")
        for name in ("curated_db", "pr_7", "pr_70"):
            glue.create_database(DatabaseInput={"Name": name})
            bucket.put(f"{name}/orders/one/data", b"")
            glue.create_table(DatabaseName=name, TableInput={"Name": "orders"})
        for number in range(120):
            glue.create_table(DatabaseName="pr_7", TableInput={"Name": f"table_{number}"})
        bucket.put("pr_7/_hidden", b"")
        return glue

    def test_database_goes_with_its_tables_and_files_and_nothing_else(self, glue: Any, bucket: S3Store) -> None:
        assert drop(glue, bucket, 7) == Dropped(tables=121, objects=2)
        left = {found["Name"] for found in glue.get_databases()["DatabaseList"]}
        assert left == {"curated_db", "pr_70"}
        assert keys(bucket) == ["curated_db/orders/one/data", "pr_70/orders/one/data"]

    def test_second_drop_is_no_error(self, glue: Any, bucket: S3Store) -> None:
        drop(glue, bucket, 7)
        assert drop(glue, bucket, 7) == Dropped(tables=0, objects=0)

    @pytest.mark.parametrize("number", [0, -7])
    def test_what_is_no_number_of_a_pull_request_is_refused(self, glue: Any, bucket: S3Store, number: int) -> None:
        with pytest.raises(ValueError, match=f"^{number} is no number of a pull request"):
            database(number)
        with pytest.raises(ValueError, match=f"^{number} is no number of a pull request"):
            drop(glue, bucket, number)

    def test_local_lake_has_no_pull_requests(self, lake: Lake) -> None:
        said = lake.datalake("pull-request", "drop", "7", fails=True)
        assert said.startswith("datalake: `datalake pull-request drop` ")
