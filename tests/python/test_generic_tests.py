"""The project's generic tests, each on rows where it must pass and on rows where it must fail."""

from __future__ import annotations

import json

import pytest
from lakes import PROJECT, WITH_ARTIFACTS, Lake

pytestmark = pytest.mark.server

PROJECT_FILE = """
name: datalake
profile: datalake
macro-paths: [macros]
test-paths: [tests]
model-paths: [models]
flags: {require_generic_test_arguments_property: true, send_anonymous_usage_stats: false}
vars: {enough: 0.7, lake_root: none}
"""

MODELS = {
    "figures": """
        select * from (values
            (1, 10, 'a1'), (2, 20, 'b2'), (2, 30, cast(null as varchar)), (cast(null as integer), -5, 'zz')
        ) as figures (id, amount, label)
    """,
    "parents": "select * from (values (1), (1), (3)) as parents (id)",
    "nothing": "select 1 as id, 1 as amount, 'a1' as label where 1 = 0",
    "reconciliation": "select 1 as one",
    "tallies": "{{ tally_rules('figures', 'curated', ref('figures'), 'amount', part=\"'all'\") }}",
    "quality_results": """
        {{ measure_rules('figures', 'curated', ref('tallies'), copies={
            'id': copies_of('id', ref('figures')), 'label': copies_of('label', ref('figures'))
        }) }}
    """,
}

# Rows of figures: 3 of 4 have an id, 1 of 3 ids stands once, 3 of 4 amounts are above 0, 2 of 4 labels match.
TESTS = """
version: 2
models:
  - name: figures
    data_tests:
      - row_count: {name: passes_row_count, arguments: {above: 3}}
      - row_count: {name: fails_row_count_at_the_threshold, arguments: {above: 4}}
      - unique_together: {name: passes_unique_together, arguments: {columns: [id, amount]}}
      - unique_together: {name: fails_unique_together, arguments: {columns: [id]}}
      - quality_rule:
          name: passes_rule_completeness
          arguments:
            {rule: completeness_rule, measure: completeness, column: id, comparison: '>', threshold: enough}
      - quality_rule:
          name: fails_rule_completeness_at_the_threshold
          arguments:
            {rule: exact_rule, measure: completeness, column: id, comparison: '>', threshold: 0.75}
      - quality_rule:
          name: passes_rule_completeness_that_may_equal_the_threshold
          arguments: {rule: equal_rule, measure: completeness, column: id, threshold: 0.75}
      - quality_rule:
          name: fails_rule_above
          arguments: {rule: above_rule, measure: above, column: amount, value: 0, threshold: 1}
      - quality_rule:
          name: fails_rule_matches
          arguments:
            {rule: matches_rule, measure: matches, column: label, pattern: '[a-z][0-9]', threshold: 1}
      - quality_rule:
          name: fails_rule_uniqueness
          description: "it's"
          arguments: {rule: unique_rule, measure: uniqueness, column: id, threshold: 0.5}
      - quality_rule:
          name: passes_rule_uniqueness_of_what_may_be_missing
          arguments: {rule: unique_label_rule, measure: uniqueness, column: label, threshold: 1}
      - quality_rule:
          name: passes_rule_row_count
          arguments: {rule: rows_rule, measure: row_count, comparison: '>', threshold: 3}
    columns:
      - name: id
        data_tests:
          - completeness: {name: passes_completeness, arguments: {above: 0.74}}
          - completeness: {name: fails_completeness_at_the_threshold, arguments: {above: 0.75}}
          - uniqueness: {name: passes_uniqueness, arguments: {above: 0.33}}
          - uniqueness: {name: fails_uniqueness, arguments: {above: 0.34}}
          - not_null: {name: fails_not_null}
          - unique: {name: fails_unique}
          - accepted_values: {name: passes_accepted_values, arguments: {values: [1, 2], quote: false}}
          - accepted_values: {name: fails_accepted_values, arguments: {values: [1], quote: false}}
          - relationships: {name: fails_relationships, arguments: {to: ref('parents'), field: id}}
          - referential_integrity: {name: passes_integrity, arguments: {to: ref('parents'), field: id, at_least: 0.33}}
          - referential_integrity: {name: fails_integrity, arguments: {to: ref('parents'), field: id, at_least: 0.34}}
      - name: amount
        data_tests:
          - unique: {name: passes_unique}
          - not_null: {name: passes_not_null}
          - above: {name: passes_above, arguments: {value: -6}}
          - above: {name: fails_above_at_the_value, arguments: {value: -5}}
      - name: label
        data_tests:
          - matches: {name: fails_matches_on_null_and_other_text, arguments: {pattern: '[a-z][0-9]'}}
  - name: nothing
    data_tests:
      - row_count: {name: fails_row_count_of_nothing, arguments: {above: 0}}
    columns:
      - name: id
        data_tests:
          - completeness: {name: passes_completeness_of_nothing, arguments: {above: 0.99}}
          - uniqueness: {name: passes_uniqueness_of_nothing, arguments: {above: 0.99}}
          - matches: {name: passes_matches_of_nothing, arguments: {pattern: x}}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, tuple[str, int]]]:
    """A project of its own with this project's macros and tests: status and failures by the name of the test."""
    project = tmp_path_factory.mktemp("generic")
    (project / "tests").mkdir()
    (project / "models").mkdir()
    (project / "macros").symlink_to(PROJECT / "macros")
    (project / "tests" / "generic").symlink_to(PROJECT / "tests" / "generic")
    (project / "dbt_project.yml").write_text(PROJECT_FILE)
    (project / "models" / "tests.yml").write_text(TESTS)
    for name, sql in MODELS.items():
        (project / "models" / f"{name}.sql").write_text(sql)
    lake = Lake(project)
    lake.dbt("build", "--project-dir", str(project), fails=True, environment=WITH_ARTIFACTS)
    found = json.loads((lake.target / "run_results.json").read_text())["results"]
    return lake, {
        each["unique_id"].split(".")[2]: (each["status"], each["failures"] or 0)
        for each in found
        if each["unique_id"].startswith("test.")
    }


def test_each_generic_test_passes_and_fails_where_it_must(
    results: tuple[Lake, dict[str, tuple[str, int]]],
) -> None:
    _, statuses = results
    wrong = {
        name: status
        for name, (status, _) in statuses.items()
        if status != ("pass" if name.startswith("passes") else "fail")
    }
    assert wrong == {}
    assert len(statuses) == TESTS.count("name: passes") + TESTS.count("name: fails")


def test_row_tests_return_the_offending_rows(results: tuple[Lake, dict[str, tuple[str, int]]]) -> None:
    _, statuses = results
    assert statuses["fails_matches_on_null_and_other_text"] == ("fail", 2)
    assert statuses["fails_above_at_the_value"] == ("fail", 1)
    assert statuses["fails_unique_together"] == ("fail", 1)


def test_rules_are_measured_with_violations_and_examples(
    results: tuple[Lake, dict[str, tuple[str, int]]],
) -> None:
    lake, _ = results
    measured = {
        rule: rest
        for rule, *rest in lake.rows(
            "select rule, violation_count, measured, threshold, examples from main.quality_results"
        )
    }
    assert measured["above_rule"] == [1, 0.75, 1, "-5"]
    assert measured["completeness_rule"] == [1, 0.75, 0.7, "-5"]
    assert measured["matches_rule"] == [2, 0.5, 1, "-5, 30"]
    assert measured["unique_rule"] == [1, pytest.approx(1 / 3), 0.5, "2"]
    assert measured["unique_label_rule"] == [0, 1, 1, None]
    assert measured["rows_rule"] == [0, 4, 3, None]
    assert lake.rows("select description from main.quality_results where rule = 'unique_rule'") == [("it's",)]
