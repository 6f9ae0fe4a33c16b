{#- Every value matches the regular expression as a whole; a NULL does not. -#}
{% test matches(model, column_name, pattern) %}
{{ after_reconciliation() }}
select *
from {{ model }}
where {{ violates({'measure': 'matches', 'column': column_name, 'pattern': pattern}) }}
{% endtest %}
