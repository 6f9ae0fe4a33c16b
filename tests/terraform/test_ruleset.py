"""The rules that Glue Data Quality holds are those that dbt tests."""

from __future__ import annotations

from pathlib import Path

from datalake.quality import load_rules, ruleset

REPOSITORY = Path(__file__).parents[2]
COMMITTED = REPOSITORY / "terraform/aws/data-lake/files/orders_quality.dqdl"


def test_ruleset_is_what_the_rules_of_orders_say() -> None:
    declared = ruleset(load_rules(REPOSITORY)["orders"])
    assert COMMITTED.read_text(encoding="utf-8") == declared, (
        f"Print it anew: datalake quality dqdl orders > {COMMITTED.relative_to(REPOSITORY)}"
    )
