{#- The share of rows whose value stands in no other row is above the threshold (0 to 1); NULLs do not count. -#}
{% test uniqueness(model, column_name, above) %}
{{ after_reconciliation() }}
{%- set rule = {'measure': 'uniqueness', 'column': column_name} %}
select {{ measured(rule) }} as uniqueness
from {{ copies_of(column_name, model) }} as keys
having not ({{ measured(rule) }} > {{ above }})
{% endtest %}
