"""The bill of docs/deploy.md is the one that benchmarks/costs.py computes, of prices that say where they are from."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from benchmark_script import benchmark
from lakes import PROJECT

PRICES = yaml.safe_load((PROJECT / "benchmarks" / "prices.yml").read_text(encoding="utf-8"))["prices"]


def test_bill_of_the_document_is_the_computed_one() -> None:
    assert benchmark("costs").table() in (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PRICES)
def test_price_says_where_it_is_found_and_of_when_it_is(name: str) -> None:
    price = PRICES[name]
    assert price["dollars"] > 0
    assert price["source"].startswith("https://aws.amazon.com/")
    assert isinstance(price["as_of"], date)


def test_each_price_is_used() -> None:
    script = (PROJECT / "benchmarks" / "costs.py").read_text(encoding="utf-8")
    assert [name for name in PRICES if f'"{name}"' not in script] == []


def test_each_switch_is_one_of_the_stack() -> None:
    declared = (PROJECT / "terraform" / "aws" / "data-lake" / "variables.tf").read_text(encoding="utf-8")
    switches = {line.switch for line in benchmark("costs").LINES if line.switch}
    assert switches == {"enable_dms", "enable_appflow", "enable_redshift", "enable_quicksight", "enable_notebook"}
    assert all(f'variable "{switch}"' in declared for switch in switches)
