"""The quality rules: one declaration, read here for Glue Data Quality, for the report and for CloudWatch.

A rule is a `quality_rule` test in a model's YAML. dbt measures it into `analytics_db.quality_results`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from datalake.errors import DeclarationError

CloudWatchClient = Any
"""boto3's client of CloudWatch, whose stubs are not among the dependencies."""

RESULTS = (
    "select model, stage, rule, description, passed, violation_count, threshold, measured, examples, checked_at "
    "from analytics_db.quality_results order by model, stage, rule"
)
"""What `read_results` takes the rows of."""

NAMESPACE = "Glue Data Quality"
"""Where Glue publishes its own evaluations, each under the dimension EvaluationContext.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-dq-monitoring.html
"""

_SHOWN = 2
"""Letters of an example that a report shows."""

_METRICS_AT_ONCE = 1000
"""How many PutMetricData takes."""


class Rule(BaseModel):
    """A quality rule as a model's YAML declares it; `threshold` is a number, or names a var of `dbt_project.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    rule: str
    description: str
    measure: Literal["completeness", "uniqueness", "row_count", "above", "matches"]
    threshold: float
    comparison: Literal[">", ">="] = ">="
    column: str | None = None
    value: float | None = None
    pattern: str | None = None

    @property
    def dqdl(self) -> str:
        """The rule in the Data Quality Definition Language of Glue."""
        at_least = f"{self.comparison} {_plain(self.threshold)}"
        share = "" if self.threshold == 1 else f" with threshold {at_least}"
        column = f'"{self.column}"'
        match self.measure:
            case "row_count":
                return f"RowCount {at_least}"
            case "completeness":
                return f"IsComplete {column}" if self.threshold == 1 else f"Completeness {column} {at_least}"
            case "uniqueness":
                return f"IsUnique {column}" if self.threshold == 1 else f"Uniqueness {column} {at_least}"
            case "above":
                return f"ColumnValues {column} > {_plain(self.value or 0)}{share}"
            case "matches":
                return f"ColumnValues {column} matches {_quoted(self.pattern or '')}{share}"


@dataclass(frozen=True)
class Result:
    """What a rule measured at a stage: a row of `analytics_db.quality_results`."""

    model: str
    stage: str
    rule: str
    description: str
    passed: bool
    violation_count: int
    threshold: float
    measured: float | None
    examples: tuple[str, ...]
    checked_at: datetime


def load_rules(project: Path) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of each model that has some, by the model's name.

    Args:
        project: the dbt project's folder.

    Raises:
        DeclarationError: a YAML file can't be read, a rule is not whole, or its threshold names no var.
    """
    variables = _yaml(project / "dbt_project.yml").get("vars", {})
    rules: dict[str, tuple[Rule, ...]] = {}
    for file in sorted((project / "models").rglob("*.yml")):
        for model in _yaml(file).get("models", []):
            declared = [
                _rule(file, model["name"], test["quality_rule"], variables)
                for test in model.get("data_tests", [])
                if isinstance(test, dict) and "quality_rule" in test
            ]
            if declared:
                rules[model["name"]] = tuple(declared)
    if not rules:
        raise DeclarationError(f"No model under {project / 'models'} has a quality_rule. Is this the dbt project?")
    return rules


def ruleset(rules: Iterable[Rule]) -> str:
    """Return the rules as a ruleset of Glue Data Quality."""
    return "Rules = [\n" + ",\n".join(f"    {rule.dqdl}" for rule in rules) + "\n]\n"


def context_of(model: str) -> str:
    """Return the evaluation context under which a model's results are published, e.g. `orders_quality`."""
    return f"{model}_quality"


def read_results(rows: Iterable[Sequence[Any]]) -> tuple[Result, ...]:
    """Return the rows of `RESULTS`.

    Args:
        rows: the rows.
    """
    return tuple(
        Result(
            model=row[0],
            stage=row[1],
            rule=row[2],
            description=row[3],
            passed=row[4],
            violation_count=row[5],
            threshold=row[6],
            measured=row[7],
            examples=tuple(row[8].split(", ")) if row[8] else (),
            checked_at=row[9],
        )
        for row in rows
    )


def masked(example: str) -> str:
    """Return an example as reports show it: its first letters, if it has more."""
    return f"{example[:_SHOWN]}***" if len(example) > _SHOWN else "***"


def report(results: Iterable[Result]) -> dict[str, Any]:
    """Return `{passed, violations: [{rule, description, violationCount, examples}]}`; examples are masked.

    Args:
        results: what the rules measured at one stage.
    """
    violations = [
        {
            "rule": result.rule,
            "description": result.description,
            "violationCount": result.violation_count,
            "examples": list(map(masked, result.examples)),
        }
        for result in results
        if not result.passed
    ]
    return {"passed": not violations, "violations": violations}


def junit(results: Iterable[Result]) -> str:
    """Return the results as JUnit's XML: a suite for each model and stage, a case for each rule.

    Args:
        results: what the rules measured.
    """
    root = ElementTree.Element("testsuites")
    suites: dict[tuple[str, str], ElementTree.Element] = {}
    for result in results:
        key = (result.model, result.stage)
        if key not in suites:
            name = f"{context_of(result.model)}.{result.stage}"
            suites[key] = ElementTree.SubElement(root, "testsuite", name=name, tests="0", failures="0")
        suite = suites[key]
        suite.set("tests", str(int(suite.attrib["tests"]) + 1))
        case = ElementTree.SubElement(suite, "testcase", classname=suite.attrib["name"], name=result.rule)
        if not result.passed:
            suite.set("failures", str(int(suite.attrib["failures"]) + 1))
            failure = ElementTree.SubElement(case, "failure", message=result.description, type="QualityRule")
            failure.text = (
                f"violations: {result.violation_count}\nmeasured: {result.measured}\nthreshold: {result.threshold:g}\n"
                f"examples: {', '.join(map(masked, result.examples)) or 'none'}\n"
            )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def publish(client: CloudWatchClient, results: Iterable[Result], now: datetime) -> int:
    """Send the results to CloudWatch, as Glue Data Quality names its own, and return how many figures were sent.

    For each model, under its evaluation context, the rules that passed and that failed on the curated table; for each
    rule and stage, its violations. The same results sent again are counted again by CloudWatch: send them once a run.

    Args:
        client: boto3's client of CloudWatch.
        results: what the rules measured.
        now: the aware time of the figures.
    """
    results = tuple(results)
    figures: list[Any] = []
    for model in dict.fromkeys(result.model for result in results):
        passed = [result.passed for result in results if result.model == model and result.stage == "curated"]
        for name, count in (("passed", sum(passed)), ("failed", len(passed) - sum(passed))):
            figures.append(_figure(f"glue.data.quality.rules.{name}", count, now, EvaluationContext=context_of(model)))
    for result in results:
        dimensions = {"EvaluationContext": context_of(result.model), "Stage": result.stage, "Rule": result.rule}
        figures.append(_figure("violations", result.violation_count, now, **dimensions))
    for first in range(0, len(figures), _METRICS_AT_ONCE):
        client.put_metric_data(Namespace=NAMESPACE, MetricData=figures[first : first + _METRICS_AT_ONCE])
    return len(figures)


def _figure(name: str, value: int, now: datetime, **dimensions: str) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": of} for key, of in dimensions.items()],
        "Timestamp": now,
        "Value": float(value),
        "Unit": "Count",
    }


def _rule(file: Path, model: str, test: Mapping[str, Any], variables: Mapping[str, Any]) -> Rule:
    arguments = dict(test.get("arguments", {}))
    named = arguments.get("threshold")
    if isinstance(named, str):
        if named not in variables:
            raise DeclarationError(f"{file}: the rule {arguments.get('rule')} names the var {named}; nothing sets it.")
        arguments["threshold"] = variables[named]
    try:
        return Rule(model=model, description=test.get("description", ""), **arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DeclarationError(f"{file}: the rule {arguments.get('rule')}: {place}: {first['msg']}") from error


def _yaml(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeclarationError(f"{file} can't be read: {error}") from error
    return document if isinstance(document, dict) else {}


def _plain(number: float) -> str:
    """Return a number without an exponent, which the language does not know."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoted(text: str) -> str:
    """Return a text in quotes; a backslash stands for itself in the language."""
    return '"' + text.replace('"', '\\"') + '"'
