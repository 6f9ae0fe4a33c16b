"""A place for objects. Today a folder; its methods are those that S3 offers too."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datalake.errors import LakeRootError


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
        """Return the store at `root`, which is made where it is missing.

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
            with tempfile.TemporaryFile(dir=root):
                next(root.iterdir(), None)
        except OSError as error:
            raise LakeRootError(
                f"The lake's root {root} can't be used: {error.strerror}. "
                "Set DATALAKE_ROOT to a folder that you may read and write."
            ) from error
        return cls(root)

    def exists(self, key: str) -> bool:
        """Tell whether an object has this key."""
        return (self.root / key).exists()

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write the object whole, unless its key is taken; return whether it was written."""
        target = self.root / key
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root, prefix=".landing-")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            partial.chmod(0o644)
            try:
                os.link(partial, target)  # fails where the key was taken meanwhile; never shows half a file
            except FileExistsError:
                return False
        finally:
            partial.unlink()
        return True

    def read(self, key: str) -> BinaryIO:
        """Open the object for reading."""
        return (self.root / key).open("rb")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under `prefix` (a folder), in the order of their keys."""
        yield from _walk(str(self.root / prefix), prefix.rstrip("/"))


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
