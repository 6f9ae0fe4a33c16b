"""Where a raw file lies: `raw/{dataset}/[source={source}/]year=YYYY/month=MM/day=DD/hour=HH/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEY = re.compile(
    r"raw/(?P<dataset>[a-z][a-z0-9_]*)/(?:source=(?P<source>[^/=]+)/)?"
    r"(?P<arrived>year=\d{4}/month=\d{2}/day=\d{2})/(?:hour=(?:[01]\d|2[0-3])/)?[^/]+",
    re.ASCII,
)


FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2099, 12, 31)
"""The days whose folders the raw tables on Athena project: the var `raw_days` in dbt_project.yml."""


@dataclass(frozen=True)
class RawPlace:
    """What the key of a raw object says: its data set, its producer (or None) and the day it arrived."""

    dataset: str
    source: str | None
    arrived: str


def raw_folder(dataset: str, when: datetime, source: str | None = None) -> str:
    """Return the folder, ended by a slash, of what arrives for `dataset` at `when`.

    Args:
        dataset: the raw table's name, lower case.
        when: an aware time; the folder is its UTC hour.
        source: the producer, for a data set with several.

    Raises:
        ValueError: `when` has no time zone or is of another century, or a name isn't lower case letters, digits
            and `_`.
    """
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone; raw folders are UTC hours, so pass an aware datetime")
    for name in (dataset, source):
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't name a raw folder; use lower case letters, digits and _")
    producer = f"source={source}/" if source else ""
    if not FIRST_DAY <= when.astimezone(UTC).date() <= LAST_DAY:
        raise ValueError(f"{when} is not between {FIRST_DAY} and {LAST_DAY}, which are the days of raw folders")
    return f"raw/{dataset}/{producer}{when.astimezone(UTC):year=%Y/month=%m/day=%d/hour=%H}/"


def raw_key(dataset: str, when: datetime, suffix: str, source: str | None = None) -> str:
    """Return the key of the one file that a feed lands in an hour, e.g. `.../orders-2024-01-15-10.json.gz`."""
    return f"{raw_folder(dataset, when, source)}{_stem(dataset, when)}{suffix}"


def batch_key(dataset: str, when: datetime, batch: str, part: int, suffix: str, source: str | None = None) -> str:
    """Return the key of a part of a batch, e.g. `.../orders-2024-01-15-10-night-00001.json.gz`.

    Args:
        dataset: the raw table's name.
        when: an aware time.
        batch: the batch's name: ASCII letters, digits, `.`, `_` and `-`, at most 100.
        part: the part's number, from 1.
        suffix: the end of its name.
        source: the producer, for a data set with several.

    Raises:
        ValueError: the batch has another name, or as `raw_folder` says.
    """
    if not _BATCH.fullmatch(batch):
        raise ValueError(
            f"{batch!r} can't name a batch; use up to 100 letters, digits, `.`, `_` and `-`, a letter or digit first"
        )
    return f"{raw_folder(dataset, when, source)}{_stem(dataset, when)}-{batch}-{part:05}{suffix}"


def _stem(dataset: str, when: datetime) -> str:
    return f"{dataset}-{when.astimezone(UTC):%Y-%m-%d-%H}"


def parse_key(key: str) -> RawPlace | None:
    """Return what `key` says, or None for a key that is not of the raw layout."""
    found = _KEY.fullmatch(key)
    if not found:
        return None
    try:
        day = date(*map(int, re.findall(r"\d+", found["arrived"])))
    except ValueError:  # as the 30th of February
        return None
    return RawPlace(found["dataset"], found["source"], found["arrived"]) if FIRST_DAY <= day <= LAST_DAY else None
