"""A folder as a store of objects."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event

import pytest

from datalake.errors import LakeRootError
from datalake.storage import FolderStore, StoredObject

KEY = "raw/orders/year=2024/month=01/day=15/hour=10/orders-2024-01-15-10.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.open(tmp_path / "lake")


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


def test_object_is_written_whole_and_alone(store: FolderStore) -> None:
    body = bytes(range(256)) * 5_000
    assert store.put_if_absent(KEY, body) is True
    assert files(store.root) == {KEY: body}


def test_object_that_is_there_is_left_alone(store: FolderStore) -> None:
    store.put_if_absent(KEY, b"first")
    written = (store.root / KEY).stat().st_mtime_ns
    assert store.put_if_absent(KEY, b"second") is False
    assert files(store.root) == {KEY: b"first"}
    assert (store.root / KEY).stat().st_mtime_ns == written


def test_object_is_replaced_whole_and_alone(store: FolderStore) -> None:
    store.put(KEY, b"first and longer")
    store.put(KEY, b"second")
    assert files(store.root) == {KEY: b"second"}


def test_replacement_that_fails_leaves_the_object_as_it_was(store: FolderStore) -> None:
    store.put(KEY, b"first")
    with file_size_limit(50_000), pytest.raises(OSError, match="too large"):
        store.put(KEY, b"x" * 100_000)
    assert files(store.root) == {KEY: b"first"}


def test_removed_object_is_gone_and_can_be_removed_again(store: FolderStore) -> None:
    store.put(KEY, b"")
    for _ in range(2):
        store.remove(KEY)
        assert files(store.root) == {}


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


def test_object_exists_once_it_is_written(store: FolderStore) -> None:
    assert not store.exists(KEY)
    store.put_if_absent(KEY, b"")
    assert store.exists(KEY)


def test_object_is_read_as_it_was_written(store: FolderStore) -> None:
    store.put_if_absent(KEY, b"a\r\n\x00b")
    with store.read(KEY) as file:
        assert file.read() == b"a\r\n\x00b"


def test_objects_are_listed_with_key_and_size_in_the_order_of_keys(store: FolderStore) -> None:
    for key in ("raw/orders/b", "raw/users/a", "raw/orders/day=10/x", "raw/orders/day=09/x", "errors/orders/a"):
        store.put_if_absent(key, key.encode())
    expected = ["raw/orders/b", "raw/orders/day=09/x", "raw/orders/day=10/x", "raw/users/a"]
    assert list(store.list("raw/")) == [StoredObject(key, len(key)) for key in expected]
    assert [found.key for found in store.list("raw/orders/day=09/")] == ["raw/orders/day=09/x"]


def test_order_of_keys_holds_where_a_name_begins_another(store: FolderStore) -> None:
    keys = ["raw/orders/x", "raw/orders.json", "raw/orders-old/x", "raw/orders0/x"]
    for key in keys:
        store.put_if_absent(key, b"")
    assert [found.key for found in store.list("raw/")] == sorted(keys)


def test_hidden_files_are_not_listed(store: FolderStore) -> None:
    for key in ("raw/orders/.part.crc", "raw/orders/_SUCCESS", "raw/orders/part", "raw/orders/a.b_c"):
        store.put_if_absent(key, b"")
    assert [found.key for found in store.list("raw/")] == ["raw/orders/a.b_c", "raw/orders/part"]


def test_folder_that_is_missing_lists_nothing(store: FolderStore) -> None:
    assert list(store.list("raw/")) == []


def test_landed_file_may_be_read_by_others(tmp_path: Path) -> None:
    FolderStore.open(tmp_path).put_if_absent("a", b"1")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
