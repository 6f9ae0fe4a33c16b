"""A place for objects: a folder, or a bucket of S3."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from datalake.errors import BucketError, LakeRootError

S3Client = Any
"""boto3's client of S3, whose stubs are not among the dependencies."""

_PARTIAL = ".landing-"
"""How the name of a file begins that is still being written; its writer holds its lock."""


_READ_AT_ONCE = 1 << 20
"""In bytes, from the network."""

_HIDDEN = (".", "_")
"""How a name begins that engines pass over."""


_PART = 64 << 20
"""In bytes: what S3 is sent at once of a body that is longer (it takes 5 MiB to 5 GiB, and 10,000 of them)."""


@dataclass(frozen=True)
class About:
    """What S3 keeps beside an object's bytes; a folder keeps none of it.

    Attributes:
        content_type: its media type.
        content_encoding: how that is packed, e.g. gzip, or None.
        metadata: further facts by name, in ASCII.
    """

    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def as_arguments(self) -> dict[str, Any]:
        """Return it as the arguments of boto3's client."""
        encoding = {"ContentEncoding": self.content_encoding} if self.content_encoding else {}
        return {"ContentType": self.content_type, "Metadata": dict(self.metadata), **encoding}


_NOTHING = About()


@dataclass(frozen=True)
class StoredObject:
    """An object's key (relative to the root, with `/`) and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class Stamp:
    """When an object of S3 was written, and what tells its bytes from others.

    Attributes:
        modified: the aware time of its writing, to the second.
        etag: S3's tag of these bytes.
    """

    modified: datetime
    etag: str


class Store(Protocol):
    """Objects under keys with `/`. An object is there whole or not at all."""

    def uri(self, key: str) -> str:
        """Return where a key is, for a person or an engine."""

    def exists(self, key: str) -> bool:
        """Tell whether an object has this key."""

    def find(self, key: str) -> StoredObject | None:
        """Return the object that has this key, or None."""

    def put_if_absent(self, key: str, body: bytes | BinaryIO, about: About = _NOTHING) -> bool:
        """Write the object whole, unless its key is taken; return whether it was written.

        Args:
            key: its key.
            body: its bytes, or a file that is read from its start.
            about: what is kept beside them.
        """

    def put(self, key: str, body: bytes, about: About = _NOTHING) -> None:
        """Write the object whole, in the place of one that has its key."""

    def remove(self, key: str) -> None:
        """Remove the object, if there is one."""

    def read(self, key: str) -> BinaryIO:
        """Open the object for reading, from its first byte to its last."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under `prefix` (a folder), in the order of their keys; hidden ones are left out.

        A name that begins with `.` or `_` is hidden, as it is for the engines.
        """


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

    def uri(self, key: str) -> str:
        """Return where a key is: its path."""
        return f"{self.root}/{key}"

    def exists(self, key: str) -> bool:
        """Tell whether an object has this key."""
        return (self.root / key).exists()

    def find(self, key: str) -> StoredObject | None:
        """Return the object that has this key, or None."""
        path = self.root / key
        return StoredObject(key, path.stat().st_size) if path.is_file() else None

    def put_if_absent(self, key: str, body: bytes | BinaryIO, about: About = _NOTHING) -> bool:
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

    def put(self, key: str, body: bytes, about: About = _NOTHING) -> None:
        """Write the object whole, in the place of one that has its key."""
        target = self.root / key
        with self._written(body, target) as partial:
            partial.replace(target)

    def remove(self, key: str) -> None:
        """Remove the object, if there is one."""
        (self.root / key).unlink(missing_ok=True)

    @contextmanager
    def _written(self, body: bytes | BinaryIO, target: Path) -> Iterator[Path]:
        """Give a file that holds `body`, to be named `target`; under its own name it is gone afterwards."""
        target.parent.mkdir(parents=True, exist_ok=True)
        file, partial = self._new_partial()
        with file:
            try:
                if isinstance(body, bytes):
                    file.write(body)
                else:
                    body.seek(0)
                    shutil.copyfileobj(body, file)
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
        elif not is_hidden(entry.name):
            yield StoredObject(f"{key}/{entry.name}", entry.stat().st_size)


class S3Store:
    """Objects of a bucket; a key that is written once is written by one writer only, whoever else tries."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        """Name the place.

        Args:
            client: boto3's client of S3.
            bucket: the bucket.
            prefix: what stands before every key: nothing, or a folder that ends with `/`.
        """
        self.bucket = bucket
        self.prefix = prefix
        self._client = client

    @classmethod
    def open(cls, client: S3Client, bucket: str, prefix: str = "") -> S3Store:
        """Return the store in a bucket that is there.

        Raises:
            BucketError: there is no such bucket, or it may not be used.
        """
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            why = "there is none of that name" if _status(error) == 404 else str(error)
            raise BucketError(
                f"The lake's bucket {bucket} can't be used: {why}. "
                "Set DATALAKE_BUCKET to a bucket that you may read and write."
            ) from error
        return cls(client, bucket, prefix)

    def uri(self, key: str) -> str:
        """Return the address that Athena knows a key, or a folder that ends with `/`, by."""
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def exists(self, key: str) -> bool:
        """Tell whether an object has this key."""
        return self.find(key) is not None

    def find(self, key: str) -> StoredObject | None:
        """Return the object that has this key, or None."""
        head = self._head(key)
        return StoredObject(key, head["ContentLength"]) if head else None

    def stamp(self, key: str) -> Stamp | None:
        """Return when the object that has this key was written, and its tag, or None."""
        head = self._head(key)
        return Stamp(head["LastModified"], head["ETag"]) if head else None

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            return cast(dict[str, Any], self._client.head_object(**self._place(key)))
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise

    def copy(self, key: str, to: str, etag: str) -> None:
        """Write the object again under another key, byte for byte, if it still has this tag; S3 copies up to 5 GB."""
        self._client.copy_object(**self._place(to), CopySource=self._place(key), CopySourceIfMatch=etag)

    def put_if_absent(self, key: str, body: bytes | BinaryIO, about: About = _NOTHING) -> bool:
        """Write the object whole, unless its key is taken; return whether it was written.

        A body of more than 64 MiB goes in parts; nothing is seen of it before the last one.
        """
        try:
            if isinstance(body, bytes) or body.seek(0, io.SEEK_END) <= _PART:
                if not isinstance(body, bytes):
                    body.seek(0)
                self._client.put_object(**self._place(key), Body=body, IfNoneMatch="*", **about.as_arguments())
            else:
                self._put_parts(key, body, about)
        except ClientError as error:
            if _status(error) == 412:
                return False
            if _status(error) == 409:  # another writer is at it: the key is free if that one fails
                return self.put_if_absent(key, body, about)
            raise
        return True

    def _put_parts(self, key: str, body: BinaryIO, about: About) -> None:
        body.seek(0)
        upload = self._client.create_multipart_upload(**self._place(key), **about.as_arguments())
        place = {**self._place(key), "UploadId": upload["UploadId"]}
        try:
            parts: list[dict[str, Any]] = []
            while part := body.read(_PART):
                number = len(parts) + 1
                sent = self._client.upload_part(**place, PartNumber=number, Body=part)
                parts.append({"ETag": sent["ETag"], "PartNumber": number})
            self._client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException:  # also Ctrl-C: parts that nobody sees are paid for
            with suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(**place)
            raise

    def put(self, key: str, body: bytes, about: About = _NOTHING) -> None:
        """Write the object whole, in the place of one that has its key."""
        self._client.put_object(**self._place(key), Body=body, **about.as_arguments())

    def remove(self, key: str) -> None:
        """Remove the object, if there is one."""
        self._client.delete_object(**self._place(key))

    def remove_folder(self, prefix: str) -> int:
        """Remove every object under `prefix` (a folder), hidden ones too, and return how many there were.

        Raises:
            BucketError: one was not removed.
        """
        folder = f"{self.prefix}{prefix.rstrip('/')}/"
        removed = 0
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder):
            keys = [{"Key": found["Key"]} for found in page.get("Contents", ())]
            if not keys:
                continue
            answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise BucketError(f"s3://{self.bucket}/{error['Key']} was not removed: {error.get('Message')}")
            removed += len(keys)
        return removed

    def read(self, key: str) -> BinaryIO:
        """Open the object for reading, from its first byte to its last; one that breaks off raises an error.

        Raises:
            FileNotFoundError: no object has this key.
        """
        try:
            found = self._client.get_object(**self._place(key))
        except ClientError as error:
            if _status(error) == 404:
                raise FileNotFoundError(f"There is no object {self.uri(key)}.") from error
            raise
        # boto3's body, asked as a context manager, gives its bare stream, which takes a broken connection for the end.
        return io.BufferedReader(found["Body"], _READ_AT_ONCE)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under `prefix` (a folder), in the order of their keys; hidden ones are left out."""
        folder = f"{self.prefix}{prefix.rstrip('/')}/"
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder):
            for found in page.get("Contents", ()):
                if not is_hidden(found["Key"]):
                    yield StoredObject(found["Key"].removeprefix(self.prefix), found["Size"])

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{key}"}


def is_hidden(key: str) -> bool:
    """Tell whether a listing leaves this key out, as engines do."""
    name = key.rpartition("/")[2]
    return not name or name.startswith(_HIDDEN)  # consoles mark a folder by an object without a name


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
