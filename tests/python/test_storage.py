"""A folder and a bucket as stores of objects: what holds for both, then what holds for one."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from moto.server import ThreadedMotoServer

from datalake.errors import BucketError, LakeRootError
from datalake.storage import FolderStore, S3Client, S3Store, Store, StoredObject

KEY = "raw/orders/year=2024/month=01/day=15/hour=10/orders-2024-01-15-10.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.open(tmp_path / "lake")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Client]:
    """A client of an S3 of this process, reached over HTTP as the real one is."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield s3_client(f"http://{host}:{port}")
    finally:
        server.stop()


def s3_client(url: str) -> S3Client:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """An empty bucket."""
    name = f"lake-{uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


@dataclass(frozen=True)
class Place:
    """A store, and a look past it at all that is there."""

    store: Store
    content: Callable[[], dict[str, bytes]]


def folder_place(request: pytest.FixtureRequest) -> Place:
    store = FolderStore.open(request.getfixturevalue("tmp_path") / "lake")
    return Place(store, lambda: files(store.root))


def bucket_place(request: pytest.FixtureRequest, prefix: str) -> Place:
    s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    if prefix:
        s3.put_object(Bucket=bucket, Key="raw/orders/of-another-lake", Body=b"")
    return Place(S3Store.open(s3, bucket, prefix), lambda: objects(s3, bucket, prefix))


PLACES: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "folder": folder_place,
    "bucket": partial(bucket_place, prefix=""),
    "part_of_a_bucket": partial(bucket_place, prefix="lakes/one/"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param](request)


def objects(s3: S3Client, bucket: str, prefix: str = "") -> dict[str, bytes]:
    """Return every object of a bucket below a prefix."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    return {
        each["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found
    }


def files(root: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let the system refuse to write past a size, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_missing_root_is_made_and_holds_nothing(tmp_path: Path) -> None:
    FolderStore.open(tmp_path / "a" / "lake")
    assert list((tmp_path / "a" / "lake").iterdir()) == []


def test_opening_a_lake_leaves_its_objects_as_they_are(store: FolderStore) -> None:
    store.put_if_absent(KEY, b"one")
    FolderStore.open(store.root)
    assert files(store.root) == {KEY: b"one"}


@pytest.mark.parametrize("below", ["", "lake"], ids=["root_is_a_file", "parent_is_a_file"])
def test_root_in_the_place_of_a_file_is_refused_by_name(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_bytes(b"kept")
    root = tmp_path / "taken" / below
    with pytest.raises(LakeRootError) as refused:
        FolderStore.open(root)
    assert f"The lake's root {root} can't be used" in str(refused.value)
    assert "Set DATALAKE_ROOT to a folder that you may read and write." in str(refused.value)
    assert (tmp_path / "taken").read_bytes() == b"kept"


def test_object_is_written_whole_and_alone(place: Place) -> None:
    body = bytes(range(256)) * 5_000
    assert place.store.put_if_absent(KEY, body) is True
    assert place.content() == {KEY: body}


def test_object_that_is_there_is_left_alone(place: Place) -> None:
    place.store.put_if_absent(KEY, b"first")
    assert place.store.put_if_absent(KEY, b"second") is False
    assert place.content() == {KEY: b"first"}


def test_file_that_is_there_is_not_written_again(store: FolderStore) -> None:
    store.put_if_absent(KEY, b"same")
    written = (store.root / KEY).stat().st_mtime_ns
    store.put_if_absent(KEY, b"same")
    assert (store.root / KEY).stat().st_mtime_ns == written


def test_object_is_replaced_whole_and_alone(place: Place) -> None:
    place.store.put(KEY, b"first and longer")
    place.store.put(KEY, b"second")
    assert place.content() == {KEY: b"second"}


def test_replacement_that_fails_leaves_the_object_as_it_was(store: FolderStore) -> None:
    store.put(KEY, b"first")
    with file_size_limit(50_000), pytest.raises(OSError, match="too large"):
        store.put(KEY, b"x" * 100_000)
    assert files(store.root) == {KEY: b"first"}


def test_removed_object_is_gone_and_can_be_removed_again(place: Place) -> None:
    place.store.put(KEY, b"")
    for _ in range(2):
        place.store.remove(KEY)
        assert place.content() == {}


def test_of_many_writers_of_one_key_exactly_one_wins(store: FolderStore) -> None:
    writers = 8
    start = Barrier(writers)
    bodies = [bytes([number]) * 1_000_000 for number in range(writers)]

    def write(body: bytes) -> bool:
        start.wait()
        return store.put_if_absent(KEY, body)

    with ThreadPoolExecutor(writers) as pool:
        won = list(pool.map(write, bodies))
    assert won.count(True) == 1
    assert files(store.root) == {KEY: bodies[won.index(True)]}


def test_write_that_fails_leaves_nothing_and_can_be_done_again(store: FolderStore) -> None:
    body = b"x" * 100_000
    with file_size_limit(50_000), pytest.raises(OSError, match="too large"):
        store.put_if_absent(KEY, body)
    assert files(store.root) == {}
    assert store.put_if_absent(KEY, body) is True
    assert files(store.root) == {KEY: body}


def test_what_a_killed_writer_left_is_removed_when_the_store_is_opened(store: FolderStore) -> None:
    (store.root / ".landing-abandoned").write_bytes(b"half")
    FolderStore.open(store.root)
    assert files(store.root) == {}


def test_opening_a_store_takes_no_file_from_a_living_writer(store: FolderStore) -> None:
    stop = Event()

    def open_again_and_again() -> None:
        while not stop.is_set():
            FolderStore.open(store.root)

    written = {f"raw/orders/{number}": bytes([number]) * 1_000 for number in range(200)}
    with ThreadPoolExecutor(3) as pool:
        openers = [pool.submit(open_again_and_again) for _ in range(3)]
        try:
            for key, body in written.items():
                assert store.put_if_absent(key, body)
        finally:
            stop.set()
    assert [opener.result() for opener in openers] == [None] * 3
    assert files(store.root) == written


def test_object_exists_once_it_is_written(place: Place) -> None:
    assert not place.store.exists(KEY)
    place.store.put_if_absent(KEY, b"")
    assert place.store.exists(KEY)


def test_object_is_read_as_it_was_written(place: Place) -> None:
    place.store.put_if_absent(KEY, b"a\r\n\x00b")
    with place.store.read(KEY) as file:
        assert file.read() == b"a\r\n\x00b"


def test_objects_are_listed_with_key_and_size_in_the_order_of_keys(place: Place) -> None:
    for key in ("raw/orders/b", "raw/users/a", "raw/orders/day=10/x", "raw/orders/day=09/x", "errors/orders/a"):
        place.store.put_if_absent(key, key.encode())
    expected = ["raw/orders/b", "raw/orders/day=09/x", "raw/orders/day=10/x", "raw/users/a"]
    assert list(place.store.list("raw/")) == [StoredObject(key, len(key)) for key in expected]
    assert [found.key for found in place.store.list("raw/orders/day=09/")] == ["raw/orders/day=09/x"]


def test_order_of_keys_holds_where_a_name_begins_another(place: Place) -> None:
    keys = ["raw/orders/x", "raw/orders.json", "raw/orders-old/x", "raw/orders0/x"]
    for key in keys:
        place.store.put_if_absent(key, b"")
    assert [found.key for found in place.store.list("raw/")] == sorted(keys)


def test_hidden_files_are_not_listed(place: Place) -> None:
    for key in ("raw/orders/.part.crc", "raw/orders/_SUCCESS", "raw/orders/part", "raw/orders/a.b_c"):
        place.store.put_if_absent(key, b"")
    assert [found.key for found in place.store.list("raw/")] == ["raw/orders/a.b_c", "raw/orders/part"]


def test_folder_that_is_missing_lists_nothing(place: Place) -> None:
    assert list(place.store.list("raw/")) == []


def test_large_object_is_read_in_parts(place: Place) -> None:
    body = bytes(range(256)) * 20_000
    place.store.put(KEY, body)
    with place.store.read(KEY) as file:
        parts = list(iter(lambda: file.read(1_000_000), b""))
    assert len(parts) > 1
    assert b"".join(parts) == body


def test_reading_what_is_not_there_names_it(place: Place) -> None:
    with pytest.raises(FileNotFoundError, match=KEY):
        place.store.read(KEY)


def test_name_with_signs_of_an_address_is_kept(place: Place) -> None:
    key = "raw/orders/a b+c%2F&=?#ü.json"
    place.store.put(key, b"1")
    assert [found.key for found in place.store.list("raw/")] == [key]
    assert place.store.exists(key)
    assert place.store.read(key).read() == b"1"


def test_listing_goes_on_after_a_page(s3: S3Client, bucket: str) -> None:
    keys = [f"raw/orders/{number}" for number in range(5)]
    store = S3Store(s3, bucket)
    for key in keys:
        store.put(key, b"")
    pages = []

    def ask_for_two(params: dict[str, Any], **_: Any) -> None:
        pages.append(params.get("ContinuationToken"))
        params["MaxKeys"] = 2

    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", ask_for_two)
    try:
        assert [found.key for found in store.list("raw/")] == keys
    finally:
        s3.meta.events.unregister("provide-client-params.s3.ListObjectsV2", ask_for_two)
    assert len(set(pages)) == 3


def test_object_that_only_marks_a_folder_is_not_listed(s3: S3Client, bucket: str) -> None:
    for key in ("raw/orders/", "raw/orders/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [found.key for found in S3Store(s3, bucket).list("raw/")] == ["raw/orders/a"]


def test_object_is_written_by_one_request_that_asks_for_a_free_key(s3: S3Client, bucket: str) -> None:
    """So that S3 itself decides between writers: a look before the writing would leave a gap."""
    asked = []

    def note(model: Any, params: Any, **_: Any) -> None:
        asked.append((model.name, params["headers"]))

    s3.meta.events.register("before-call.s3", note)
    try:
        S3Store(s3, bucket).put_if_absent(KEY, b"1")
    finally:
        s3.meta.events.unregister("before-call.s3", note)
    assert [(name, headers["If-None-Match"]) for name, headers in asked] == [("PutObject", "*")]


class Cut(BaseHTTPRequestHandler):
    """Answers a request for an object with half of what it announces."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 50)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.parametrize("at_once", [10, 1_000, -1], ids=["small_parts", "large_parts", "whole"])
def test_object_that_breaks_off_is_not_taken_for_a_short_one(at_once: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Cut) as server:
        Thread(target=server.handle_request).start()
        store = S3Store(s3_client(f"http://127.0.0.1:{server.server_port}"), "lake")
        with store.read(KEY) as file, pytest.raises(BotoCoreError):
            list(iter(lambda: file.read(at_once), b""))


def test_missing_bucket_is_refused_by_name(s3: S3Client) -> None:
    with pytest.raises(BucketError) as refused:
        S3Store.open(s3, "nowhere")
    assert str(refused.value) == (
        "The lake's bucket nowhere can't be used: there is none of that name. "
        "Set DATALAKE_BUCKET to a bucket that you may read and write."
    )


def test_address_of_a_key_is_the_one_that_athena_reads(s3: S3Client, bucket: str) -> None:
    assert S3Store(s3, bucket, "lakes/one/").uri("raw/orders/") == f"s3://{bucket}/lakes/one/raw/orders/"


def test_landed_file_may_be_read_by_others(tmp_path: Path) -> None:
    FolderStore.open(tmp_path).put_if_absent("a", b"1")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
