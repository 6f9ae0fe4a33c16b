{#- The share of rows whose value stands in no other row is above the threshold (0 to 1); NULLs do not count. -#}
{% test uniqueness(model, column_name, above) %}
{{ after_reconciliation() }}
{%- set share = ratio('count(case when copies = 1 then 1 end)', 'sum(copies)') %}
select {{ share }} as uniqueness
from {{ copies_of(column_name, model) }} as keys
where {{ column_name }} is not null
having not ({{ share }} > {{ above }})
{% endtest %}
