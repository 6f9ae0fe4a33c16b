{#- The table has more rows than the threshold. -#}
{% test row_count(model, above) %}
{{ after_reconciliation() }}
select count(*) as row_count
from {{ model }}
having not count(*) > {{ above }}
{% endtest %}
