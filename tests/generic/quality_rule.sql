{#- A quality rule, declared once. As a dbt test it holds on the model when `quality_results`, which measures all
    rules of a model, says so.

    rule: its name, lower case with `_`; measure: completeness, uniqueness, row_count,
    above or matches; column: what it measures (not for row_count); comparison: > or >=; threshold: a number, or
    the name of a var; value: what `above` compares with; pattern: what `matches` looks for. The test's
    own description is the rule in a sentence. -#}
{% test quality_rule(model, rule, measure, threshold, comparison='>=', column=none, value=none, pattern=none) %}
{{ after_reconciliation() }}
select *
from {{ ref('quality_results') }}
where model = '{{ model.identifier }}' and stage = 'curated' and rule = '{{ rule }}' and not passed
{% endtest %}
