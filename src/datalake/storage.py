"""A place for objects. Today a folder; its methods are those that S3 offers too."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datalake.errors import LakeRootError

_PARTIAL = ".landing-"
"""How the name of a file begins that is still being written; its writer holds its lock."""


@dataclass(frozen=True)
class StoredObject:
    """An object's key (relative to the root, with `/`) and its size in bytes."""

    key: str
    size: int


class FolderStore:
    """Objects as files under a root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path) -> FolderStore:
        """Return the store at `root`, which is made where it is missing; what a killed writer left there is removed.

        Raises:
            LakeRootError: `root` is no folder, can't be made, read or written, or has a character of a pattern.
        """
        if unusable := set("*?['") & set(str(root)):
            raise LakeRootError(
                f"The lake's root {root} can't be used: engines read {' '.join(sorted(unusable))} as more than a "
                "letter. Set DATALAKE_ROOT to a folder without it."
            )
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root, prefix=_PARTIAL):
                next(root.iterdir(), None)
        except OSError as error:
            raise LakeRootError(
                f"The lake's root {root} can't be used: {error.strerror}. "
                "Set DATALAKE_ROOT to a folder that you may read and write."
            ) from error
        _remove_abandoned(root)
        return cls(root)

    def exists(self, key: str) -> bool:
        """Tell whether an object has this key."""
        return (self.root / key).exists()

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write the object whole, unless its key is taken; return whether it was written."""
        target = self.root / key
        if target.exists():
            return False
        with self._written(body, target) as partial:
            try:
                os.link(partial, target)  # fails where the key was taken meanwhile; never shows half a file
            except FileExistsError:
                return False
        return True

    def put(self, key: str, body: bytes) -> None:
        """Write the object whole, in the place of one that has its key."""
        target = self.root / key
        with self._written(body, target) as partial:
            partial.replace(target)

    def remove(self, key: str) -> None:
        """Remove the object, if there is one."""
        (self.root / key).unlink(missing_ok=True)

    @contextmanager
    def _written(self, body: bytes, target: Path) -> Iterator[Path]:
        """Give a file that holds `body`, to be named `target`; under its own name it is gone afterwards."""
        target.parent.mkdir(parents=True, exist_ok=True)
        file, partial = self._new_partial()
        with file:
            try:
                file.write(body)
                file.flush()
                partial.chmod(0o644)
                yield partial
            finally:
                partial.unlink(missing_ok=True)  # before `with` gives the lock up

    def _new_partial(self) -> tuple[BinaryIO, Path]:
        """Return an empty file, and its path, that no other process takes for abandoned."""
        while True:
            handle, name = tempfile.mkstemp(dir=self.root, prefix=_PARTIAL)
            file = os.fdopen(handle, "wb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # not removed between being made and being locked
                return file, Path(name)
            file.close()

    def read(self, key: str) -> BinaryIO:
        """Open the object for reading."""
        return (self.root / key).open("rb")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under `prefix` (a folder), in the order of their keys."""
        yield from _walk(str(self.root / prefix), prefix.rstrip("/"))


def _remove_abandoned(root: Path) -> None:
    for partial in root.glob(f"{_PARTIAL}*"):
        with suppress(OSError), partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails as long as its writer lives
            partial.unlink()


def _walk(folder: str, key: str) -> Iterator[StoredObject]:
    try:
        # A folder's name goes on with a slash, which stands after `-` and `.` in the order of keys.
        entries = sorted(os.scandir(folder), key=lambda entry: f"{entry.name}/" if entry.is_dir() else entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{key}/{entry.name}")
        elif not entry.name.startswith((".", "_")):
            yield StoredObject(f"{key}/{entry.name}", entry.stat().st_size)
