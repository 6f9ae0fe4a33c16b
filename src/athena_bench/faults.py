"""Faults on demand, for tests of those who try again.

A fault is written `KIND:OPERATION` or `KIND:OPERATION:COUNT`, several with commas between. OPERATION is what the
request asks for, such as `AmazonAthena.StartQueryExecution`, `AWSGlue.*` or `S3.PUT`; COUNT is how many such requests
meet it, 1 where nothing is said. KIND is one of

- `throttle`: refused, as by a service that has too much to do (S3: SlowDown);
- `error`: refused with an internal error, status 500;
- `slow`: answered two seconds later;
- `lost`: done, but the connection ends before the answer;
- `kill`: done, with the engine killed just before; it comes back with the next statement.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

from athena_bench.errors import BenchError

HEADER = "HTTP_X_ATHENA_BENCH_FAULT"
"""The header `x-athena-bench-fault` names kinds for its own request alone."""

VARIABLE = "ATHENA_BENCH_FAULTS"
KINDS = frozenset({"throttle", "error", "slow", "lost", "kill"})


class FaultError(BenchError):
    """A fault is not written as it has to be."""


@dataclass
class _Fault:
    kind: str
    operation: str
    left: int


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Add faults to those that are to come.

        Raises:
            FaultError: the text is not as the head of this module has it.
        """
        faults = [_read(part.strip()) for part in text.split(",") if part.strip()]
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Let none come."""
        with self._lock:
            self._faults.clear()

    def of(self, operation: str, header: str = "") -> set[str]:
        """Return the kinds that a request meets, and count it.

        Args:
            operation: what it asks for, such as `AWSGlue.GetTable`.
            header: the kinds that it names itself, with commas between.

        Raises:
            FaultError: the header names no kind.
        """
        met = {_kind(kind.strip()) for kind in header.split(",") if kind.strip()}
        with self._lock:
            for fault in self._faults:
                if fault.left > 0 and fnmatchcase(operation, fault.operation):
                    fault.left -= 1
                    met.add(fault.kind)
            self._faults = [fault for fault in self._faults if fault.left > 0]
        return met


def _read(text: str) -> _Fault:
    kind, _, rest = text.partition(":")
    operation, _, count = rest.partition(":")
    if not operation or not (count or "1").isdigit():
        raise FaultError(f"'{text}' is no fault: write KIND:OPERATION or KIND:OPERATION:COUNT.")
    return _Fault(_kind(kind), operation, int(count or 1))


def _kind(text: str) -> str:
    if text not in KINDS:
        raise FaultError(f"There is no fault '{text}'; there are {', '.join(sorted(KINDS))}.")
    return text
