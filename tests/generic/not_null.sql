{#- dbt's own test, made to wait for the reconciliation. -#}
{% test not_null(model, column_name) %}
{{ after_reconciliation() }}
{{ dbt.default__test_not_null(model, column_name) }}
{% endtest %}
