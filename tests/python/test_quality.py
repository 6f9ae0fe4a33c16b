"""The quality rules in Glue's language, in the report and in CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
import dqdl_parser
import pytest
from lakes import PROJECT
from moto.server import ThreadedMotoServer

from datalake.errors import DeclarationError
from datalake.quality import (
    NAMESPACE,
    Result,
    Rule,
    junit,
    load_rules,
    masked,
    publish,
    read_results,
    report,
    ruleset,
)

NOW = datetime(2024, 1, 16, 2, tzinfo=UTC)
AT = NOW.replace(tzinfo=None)
ROWS = [
    ("orders", "curated", "has_enough_rows", "Enough.", True, 0, 1000.0, 1200.0, None, AT),
    (
        "orders",
        "curated",
        "total_is_above_zero",
        "Above 0.",
        False,
        2,
        1.0,
        0.5,
        "order-1, o2",
        NOW.replace(tzinfo=None),
    ),
    ("orders", "incoming", "total_is_above_zero", "Above 0.", False, 9, 1.0, None, "", AT),
]
RESULTS = read_results(ROWS)


def rule(measure: str, **facts: Any) -> Rule:
    return Rule(model="m", rule="r", description="d", measure=measure, **{"column": "c", "threshold": 1, **facts})


RULES = {
    'IsComplete "c"': rule("completeness"),
    'Completeness "c" > 0.99': rule("completeness", threshold=0.99, comparison=">"),
    'Completeness "c" >= 0.00001': rule("completeness", threshold=0.00001),
    'IsUnique "c"': rule("uniqueness"),
    'Uniqueness "c" > 0.9999': rule("uniqueness", threshold=0.9999, comparison=">"),
    "RowCount > 1000": rule("row_count", threshold=1000, comparison=">"),
    "RowCount >= 12000000": rule("row_count", threshold=1.2e7),
    'ColumnValues "c" > 0': rule("above", value=0),
    'ColumnValues "c" > -0.5 with threshold >= 0.9': rule("above", value=-0.5, threshold=0.9),
    'ColumnValues "c" matches "[0-9]{4}-[0-9]{2}"': rule("matches", pattern="[0-9]{4}-[0-9]{2}"),
    r'ColumnValues "c" matches "\d+ \"a\"" with threshold > 0.5': rule(
        "matches", pattern=r'\d+ "a"', threshold=0.5, comparison=">"
    ),
}


def test_every_rule_is_read_by_the_parser_of_aws_as_it_is_meant() -> None:
    """Every rule of the project, and every form that a rule can take."""
    declared = load_rules(PROJECT)
    rulesets = [ruleset(rules) for rules in declared.values()]
    forms = [ruleset([each]) for each in RULES.values()]
    answers = dqdl_parser.parse([*rulesets, *forms, "Rules = [ IsWhole ]"])
    assert answers[: len(rulesets)] == [[each.dqdl for each in rules] for rules in declared.values()]
    assert answers[len(rulesets) : -1] == [[text] for text in RULES]
    assert "IsWhole is not valid" in answers[-1]


@pytest.mark.parametrize("text", RULES)
def test_rule_has_its_form_in_glues_language(text: str) -> None:
    assert RULES[text].dqdl == text


def test_rules_of_orders_are_those_of_the_requirements() -> None:
    assert [each.dqdl for each in load_rules(PROJECT)["orders"]] == [
        'IsComplete "order_id"',
        'ColumnValues "total" > 0',
        'ColumnValues "order_date" matches "[0-9]{4}-[0-9]{2}-[0-9]{2}"',
        'Completeness "customer_id" > 0.99',
        'Uniqueness "order_id" > 0.9999',
        "RowCount > 1000",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{rule: r, measure: completeness, column: c, threshold: share}", "the rule r names the var share; nothing"),
        ("{rule: r, measure: median, column: c, threshold: 1}", "the rule r: measure: Input should be 'completeness'"),
        ("{rule: r, measure: completeness, colum: c, threshold: 1}", "the rule r: colum: Extra inputs"),
    ],
)
def test_rule_that_is_not_whole_is_named(tmp_path: Path, arguments: str, said: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: a")
    (tmp_path / "models" / "a.yml").write_text(
        f"models: [{{name: a, data_tests: [quality_rule: {{arguments: {arguments}}}]}}]"
    )
    with pytest.raises(DeclarationError, match=said):
        load_rules(tmp_path)


def test_folder_without_a_rule_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: a")
    with pytest.raises(DeclarationError, match="has a quality_rule"):
        load_rules(tmp_path)


def test_rows_of_the_table_are_results() -> None:
    assert read_results(ROWS) == RESULTS


def test_report_tells_what_does_not_hold_with_its_count_and_masked_examples() -> None:
    assert report(of_stage("curated")) == {
        "passed": False,
        "violations": [
            {
                "rule": "total_is_above_zero",
                "description": "Above 0.",
                "violationCount": 2,
                "examples": ["or***", "***"],
            }
        ],
    }
    assert report(RESULTS[:1]) == {"passed": True, "violations": []}


def of_stage(stage: str) -> list[Result]:
    return [result for result in RESULTS if result.stage == stage]


@pytest.mark.parametrize("example", ["", "a", "ab", "abc", "ann@example.com"])
def test_example_is_never_shown_whole(example: str) -> None:
    assert not example or example not in masked(example)


def test_junit_has_a_case_for_each_rule_and_stage() -> None:
    root = ElementTree.fromstring(junit(RESULTS))
    suites = {suite.attrib["name"]: suite for suite in root}
    assert {name: (suite.attrib["tests"], suite.attrib["failures"]) for name, suite in suites.items()} == {
        "orders_quality.curated": ("2", "1"),
        "orders_quality.incoming": ("1", "1"),
    }
    failure = suites["orders_quality.curated"].find("testcase[@name='total_is_above_zero']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "Above 0."
    assert "violations: 2\n" in (failure.text or "")
    assert "order-1" not in (failure.text or "")


@pytest.fixture
def cloudwatch() -> Iterator[Any]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield boto3.client(
            "cloudwatch",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
    finally:
        server.stop()


def test_figures_are_in_cloudwatch_under_the_context_of_the_model(cloudwatch: Any) -> None:
    assert publish(cloudwatch, RESULTS, NOW) == 5

    def figure(name: str, **dimensions: str) -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=NOW - timedelta(hours=1),
            EndTime=NOW + timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))

    context = {"EvaluationContext": "orders_quality"}
    assert figure("glue.data.quality.rules.passed", **context) == 1
    assert figure("glue.data.quality.rules.failed", **context) == 1
    assert figure("violations", **context, Stage="incoming", Rule="total_is_above_zero") == 9
