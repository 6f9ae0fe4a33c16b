{#- The share of values (NULLs do not count) that stand in the column of another table is at least the
    threshold (0 to 1). -#}
{% test referential_integrity(model, column_name, to, field, at_least=1) %}
{{ after_reconciliation() }}
{%- set share = ratio('count(parents.' ~ field ~ ')', 'count(*)') %}
select {{ share }} as share
from {{ model }} as children
left join (
    select {{ field }}
    from {{ to }}
    where {{ field }} is not null
    group by {{ field }}
) as parents on children.{{ column_name }} = parents.{{ field }}
where children.{{ column_name }} is not null
having not ({{ share }} >= {{ at_least }})
{% endtest %}
