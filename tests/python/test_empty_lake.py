"""A lake without a file is a lake of empty tables, not an error."""

import pytest
from lakes import Lake

pytestmark = pytest.mark.server


def test_lake_without_a_file_builds_to_empty_tables(lake: Lake) -> None:
    lake.check()
    lake.build()
    assert lake.rows("select count(*) from curated_db.orders") == [(0,)]
    assert lake.rows("select count(*) from raw_db.orders") == [(0,)]
    assert lake.rows("select customer_key from analytics_db.dim_customer") == [("(unknown)",)]
