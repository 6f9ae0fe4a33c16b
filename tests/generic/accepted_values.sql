{#- dbt's own test, made to wait for the reconciliation. -#}
{% test accepted_values(model, column_name, values, quote=true) %}
{{ after_reconciliation() }}
{{ dbt.default__test_accepted_values(model, column_name, values, quote) }}
{% endtest %}
