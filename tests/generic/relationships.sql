{#- dbt's own test, made to wait for the reconciliation. -#}
{% test relationships(model, column_name, to, field) %}
{{ after_reconciliation() }}
{{ dbt.default__test_relationships(model, column_name, to, field) }}
{% endtest %}
