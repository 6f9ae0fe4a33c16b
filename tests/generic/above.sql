{#- Every value is above the given one; a NULL is not. -#}
{% test above(model, column_name, value) %}
{{ after_reconciliation() }}
select *
from {{ model }}
where {{ violates({'measure': 'above', 'column': column_name, 'value': value}) }}
{% endtest %}
