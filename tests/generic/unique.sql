{#- dbt's own test, made to wait for the reconciliation. -#}
{% test unique(model, column_name) %}
{{ after_reconciliation() }}
{{ dbt.default__test_unique(model, column_name) }}
{% endtest %}
