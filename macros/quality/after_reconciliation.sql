{#- Makes a test wait for the reconciliation. dbt skips what lies downstream of a failed test; a test that itself
    stands downstream of the reconciliation can never keep it from being computed. -#}
{% macro after_reconciliation() -%}
-- depends_on: {{ ref('reconciliation') }}
{%- endmacro %}
