"""The landing zone: files of services that name their folders by themselves, brought into the raw layout.

DMS and AppFlow can't write `year=.../month=.../`. What they deliver lies under `landing/{service}/{dataset}/`; each
object is copied once, byte for byte, to the raw folder of the hour in which it was delivered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from datalake.errors import LandingError
from datalake.layout import raw_key
from datalake.sources import RawTable
from datalake.storage import S3Store

LANDING = "landing/"

_KEY = re.compile(
    r"landing/[^/]+/(?P<dataset>[^/]+)/(?:.*/)?(?P<stem>[^/]+?)(?:\.(?:json|jsonl|csv|parquet))?(?P<packed>\.gz)?",
    re.DOTALL,
)
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_STEM = 100


def bring_in(store: S3Store, tables: Mapping[str, RawTable], key: str) -> str:
    """Copy an object of the landing zone to the raw folder where it belongs, and return its key there.

    That key is made of the object's key, its time and its ETag. So a try that comes later, or beside another one, ends
    in the same object, and what is delivered anew under its old name ends in another. In the order of keys, the objects
    of an hour stand as the service names them, which for the changes of DMS is by time.

    Args:
        store: the lake.
        tables: the declared raw tables by name.
        key: the object's key, under `landing/`.

    Raises:
        LandingError: the object is gone, or belongs to no declared data set.
        ClientError: S3 refused it, also where the object was changed meanwhile.
    """
    found = _KEY.fullmatch(key)
    table = tables.get(found["dataset"]) if found else None
    if found is None or table is None or table.has_sources:
        raise LandingError(
            f"{key} can't be brought into raw/: a delivery lies under {LANDING}SERVICE/DATASET/, and the source YAML "
            "declares the data set, without sources."
        )
    stamp = store.stamp(key)
    if stamp is None:
        raise LandingError(f"{key} was delivered and is gone now. Put it back, or have it delivered anew.")
    digest = hashlib.sha256(f"{key}\n{stamp.etag}".encode()).hexdigest()[:12]
    stem = _UNFIT.sub("_", found["stem"])[:_LONGEST_STEM]
    suffix = f".{table.external.file_format}{found['packed'] or ''}"
    target = raw_key(table.name, stamp.modified, f"-{stem}-{digest}{suffix}")
    if not store.exists(target):
        store.copy(key, target, stamp.etag)
    return target
