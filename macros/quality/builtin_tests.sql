{#- dbt's own tests, made to wait for the reconciliation (see after_reconciliation). -#}
{% macro default__test_unique(model, column_name) %}
{{ after_reconciliation() }}
{{ dbt.default__test_unique(model, column_name) }}
{% endmacro %}

{% macro default__test_not_null(model, column_name) %}
{{ after_reconciliation() }}
{{ dbt.default__test_not_null(model, column_name) }}
{% endmacro %}

{% macro default__test_accepted_values(model, column_name, values, quote=true) %}
{{ after_reconciliation() }}
{{ dbt.default__test_accepted_values(model, column_name, values, quote) }}
{% endmacro %}

{% macro default__test_relationships(model, column_name, to, field) %}
{{ after_reconciliation() }}
{{ dbt.default__test_relationships(model, column_name, to, field) }}
{% endmacro %}
