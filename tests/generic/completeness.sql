{#- The share of rows in which the column is not NULL is above the threshold (0 to 1). -#}
{% test completeness(model, column_name, above) %}
{{ after_reconciliation() }}
{%- set share = ratio('count(' ~ column_name ~ ')', 'count(*)') %}
select {{ share }} as completeness
from {{ model }}
having not ({{ share }} > {{ above }})
{% endtest %}
