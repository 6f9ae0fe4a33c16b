"""The alerts of the lake, declared once in `alerts.yml`: `datalake monitor` evaluates them, Terraform reads it too."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from datalake.errors import DeclarationError

Resource = Literal["job", "jobs", "workgroup", "bucket", "stream"]
Measure = Literal["job_duration", "dpu_hours", "scanned_bytes", "metrics"]

_RESOURCES: dict[str, tuple[Resource, ...]] = {
    "job_duration": ("job",),
    "dpu_hours": ("jobs",),
    "scanned_bytes": ("workgroup",),
    "metrics": ("bucket", "stream"),
}

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(_Part):
    """A metric of CloudWatch; a dimension may be `{bucket}`, `{stream}` or `{workgroup}`, the resource's name."""

    id: str = Field(pattern=r"^[a-z][a-zA-Z0-9_]*$")
    namespace: str
    metric_name: str
    statistic: Literal["Sum", "Average", "Maximum", "Minimum", "SampleCount"]
    dimensions: dict[str, str]


class Baseline(_Part):
    """What a run's duration is compared with: the median of so many successful runs before it, or of the minimum."""

    statistic: Literal["median"]
    runs: int = Field(ge=1)
    minimum: int = Field(ge=1)


class Alert(_Part):
    """One alert; `alerts.yml` says what the fields mean."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    component: str
    description: str
    remedy: str
    evaluated_by: tuple[Literal["monitor", "cloudwatch"], ...] = Field(min_length=1)
    measure: Measure
    resource: Resource
    baseline: Baseline | None = None
    metrics: tuple[Metric, ...] = ()
    expression: str | None = None
    comparison: Literal["GreaterThanThreshold", "LessThanThreshold"]
    threshold: float = Field(allow_inf_nan=False)
    unit: str
    period: int = Field(ge=60, le=86400, multiple_of=60)
    treat_missing_data: Literal["missing", "notBreaching", "breaching"]

    @model_validator(mode="after")
    def _is_whole(self) -> Alert:
        if "monitor" not in self.evaluated_by:
            raise ValueError("datalake monitor evaluates every alert: evaluated_by lacks monitor")
        if self.resource not in _RESOURCES[self.measure]:
            raise ValueError(f"{self.measure} is not measured of a {self.resource}")
        if (self.baseline is not None) != (self.measure == "job_duration"):
            raise ValueError("a baseline belongs to job_duration, and to it alone")
        if self.baseline and self.baseline.minimum > self.baseline.runs:
            raise ValueError("the baseline's minimum is more than its runs")
        needs_metrics = self.measure == "metrics" or "cloudwatch" in self.evaluated_by
        if needs_metrics != bool(self.metrics) or needs_metrics != (self.expression is not None):
            raise ValueError("metrics and expression belong to what CloudWatch measures, and to it alone")
        for metric in self.metrics:
            for value in metric.dimensions.values():
                if "{" in value and value != f"{{{self.resource}}}":
                    raise ValueError(f"the dimension {value} of {metric.id} is not the alert's {self.resource}")
        if self.metrics:
            self.calculate({metric.id: 1.0 for metric in self.metrics})
        return self

    def is_breached_by(self, value: float) -> bool:
        """Tell whether a measured value, in the alert's unit, passes the threshold; reaching it is no breach."""
        if self.comparison == "GreaterThanThreshold":
            return value > self.threshold
        return value < self.threshold

    def calculate(self, values: Mapping[str, float | None]) -> float | None:
        """Return the expression's value for one period, as CloudWatch calculates it; None where data is missing.

        Args:
            values: the metrics' values by their ids; None where there is none.

        Raises:
            ValueError: the expression is no metric maths of arithmetic, FILL and MAX over the metrics' ids.
        """
        try:
            return _calculated(ast.parse(self.expression or "", mode="eval").body, values)
        except SyntaxError as error:
            raise ValueError(f"the expression can't be read: {error.msg}") from error


def load_alerts(file: Traversable | None = None) -> tuple[Alert, ...]:
    """Return the alerts.

    Args:
        file: the YAML; by default the package's own `alerts.yml`.

    Raises:
        DeclarationError: it can't be read, or an alert is not whole; the text names the alert and the field.
    """
    file = file or resources.files("datalake") / "alerts.yml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeclarationError(f"{file} can't be read: {error}") from error
    declared = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(declared, list) or not declared:
        raise DeclarationError(f"{file} has no list `alerts`.")
    alerts = tuple(_alert(file, position, alert) for position, alert in enumerate(declared, 1))
    names = [alert.name for alert in alerts]
    for name in names:
        if names.count(name) > 1:
            raise DeclarationError(f"{file}: there are several alerts of the name {name}.")
    return alerts


def _alert(file: Traversable, position: int, declared: Any) -> Alert:  # noqa: ANN401 - whatever the file holds
    try:
        return Alert.model_validate(declared)
    except ValidationError as error:
        first = error.errors()[0]
        name = declared.get("name") if isinstance(declared, dict) else None
        place = ".".join(map(str, first["loc"]))
        raise DeclarationError(
            f"{file}: alert {name or position}: {place}{': ' if place else ''}{first['msg']}"
        ) from error


def _calculated(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            operands = (_calculated(left, values), _calculated(right, values))
            # CloudWatch has no data point where an operand has none, or where it would divide by 0.
            if operands[0] is None or operands[1] is None or (isinstance(op, ast.Div) and operands[1] == 0):
                return None
            return _OPERATORS[type(op)](operands[0], operands[1])
        case ast.Call(func=ast.Name(id="FILL"), args=[series, fill], keywords=[]):
            found, filled = _calculated(series, values), _calculated(fill, values)
            return filled if found is None else found
        case ast.Call(func=ast.Name(id="MAX"), args=[ast.List(elts=[_, *_] as several)], keywords=[]):
            given = [_calculated(series, values) for series in several]
            return max((each for each in given if each is not None), default=None)
    raise ValueError(f"{ast.unparse(node)} is no arithmetic, FILL or MAX over the ids {', '.join(values)}")
