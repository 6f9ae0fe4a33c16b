{#- No two rows have the same values in all of the columns. -#}
{% test unique_together(model, columns) %}
{{ after_reconciliation() }}
select
    {{ columns | join(', ') }},
    count(*) as copies
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
