{#- The share of rows in which the column is not NULL is above the threshold (0 to 1). -#}
{% test completeness(model, column_name, above) %}
{{ after_reconciliation() }}
{%- set rule = {'measure': 'completeness', 'column': column_name} %}
select {{ measured(rule) }} as completeness
from {{ model }}
having not ({{ measured(rule) }} > {{ above }})
{% endtest %}
