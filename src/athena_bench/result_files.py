"""What Athena leaves in S3 of a query: its rows, what its columns are, and the list of the files that it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from athena_bench.execution import Execution
from athena_bench.results import column_info, csv_of


class ResultFiles:
    """Puts the results of executions where they belong.

    Args:
        put_object: puts a body into a bucket under a key.
    """

    def __init__(self, put_object: Callable[[str, str, bytes], None]) -> None:
        self._put_object = put_object

    def put(self, execution: Execution) -> None:
        """Put an execution's rows, and beside them what its columns are; that alone for what writes a table.

        Raises:
            ApiError: S3 takes nothing there.
        """
        assert execution.answer is not None
        columns = execution.answer.columns
        if execution.wrote:
            pass  # what it wrote is its result
        elif execution.has_header:
            self._put(execution.location, csv_of(columns, execution.rows))
        else:
            self._put(execution.location, "\n".join(row[0] or "" for row in execution.rows).encode())
        # Athena's own is a binary form that it does not document.
        described = {"ColumnInfo": [column_info(column) for column in columns]}
        self._put(f"{execution.location}.metadata", json.dumps(described).encode())

    def put_manifest(self, execution: Execution) -> None:
        """Put the list of the files that an execution wrote, one a line."""
        assert execution.manifest is not None
        assert execution.answer is not None
        text = "".join(f"{file}\n" for file in _written_by(execution.answer.engine_id))
        self._put(execution.manifest, text.encode())

    def _put(self, location: str, body: bytes) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._put_object(bucket, key, body)


def _written_by(engine_id: str) -> list[str]:
    """Return the objects that the engine wrote for a query, which bear the query's id in their names."""
    buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
    # A copy of the keys, as others write meanwhile.
    return sorted(
        f"s3://{name}/{key}" for name in list(buckets) for key in list(buckets[name].keys) if engine_id in key
    )
