"""The settings of the Lambda functions, from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from datalake.errors import SettingError


def required(name: str) -> str:
    """Return a setting that has no default.

    Raises:
        SettingError: it is missing or empty.
    """
    value = os.environ.get(name)
    if not value:
        raise SettingError(f"The setting {name} is missing. Set it in the function's environment.")
    return value


def sources_folder() -> Path:
    """Return the folder of the source YAML: `DATALAKE_SOURCES`, by default `models/raw` beside the function's code."""
    return Path(os.environ.get("DATALAKE_SOURCES") or Path(os.environ.get("LAMBDA_TASK_ROOT", ""), "models", "raw"))


def workgroup() -> str:
    """Return the workgroup in which the lake is written: `DATALAKE_WORKGROUP`, by default datalake-dbt."""
    return os.environ.get("DATALAKE_WORKGROUP") or "datalake-dbt"  # as in profiles.yml


def analysts_workgroup() -> str:
    """Return the workgroup in which people ask the lake: `ANALYSTS_WORKGROUP`, by default analytics-team."""
    return os.environ.get("ANALYSTS_WORKGROUP") or "analytics-team"
