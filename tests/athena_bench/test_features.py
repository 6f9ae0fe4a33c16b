"""The page of features is that of the tests."""

from __future__ import annotations

import features


def test_page_is_the_one_that_the_tests_make() -> None:
    assert features.PAGE.read_text("utf-8") == features.page(), "Run `make features`."
