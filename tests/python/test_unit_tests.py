"""dbt's unit tests, one for each rule of the business, run on an empty lake."""

import re

import pytest
from lakes import Lake

pytestmark = pytest.mark.server


def test_every_dbt_unit_test_passes(lake: Lake) -> None:
    lake.check()
    lake.dbt("run", "--empty", "--quiet")
    said = lake.dbt("test", "--select", "test_type:unit")
    done = re.search(r"PASS=(\d+) WARN=0 ERROR=0 SKIP=0", said)
    assert done, said
    assert int(done[1]) > 20
