{#- The key of a version of a customer in dim_customer, from a row of customer_versions. -#}
{% macro customer_key() -%}
    customer_id || '-' || cast(version_number as varchar)
{%- endmacro %}
