"""Shapes that Athena's requests and answers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from athena_bench.server import ApiError

MOST_LISTED = 50
"""Entries on a page, and in a batch, as Athena's API reference has it (`MaxResults`)."""


def invalid(message: str, code: str = "INVALID_INPUT") -> ApiError:
    """Return the error of a request that Athena does not take, with Athena's own code."""
    return ApiError("InvalidRequestException", message, AthenaErrorCode=code)


def page(key: str, entries: Sequence[Any], request: dict[str, Any], most: int = MOST_LISTED) -> dict[str, Any]:
    """Return the page of a list that a request asks for, under a key; its token is where the next page begins.

    Raises:
        ApiError: the request asks for more than a page holds, or has a token of no page.
    """
    token = str(request.get("NextToken") or 0)
    if not token.isdigit():
        raise invalid(f"NextToken {token} is none that the bench gave")
    wanted = int(request.get("MaxResults") or most)
    if not 1 <= wanted <= most:
        raise invalid(f"MaxResults is {wanted}; it must be between 1 and {most}")
    begin, end = int(token), int(token) + wanted
    return {key: entries[begin:end]} | ({"NextToken": str(end)} if end < len(entries) else {})
