{#- A text as a literal of SQL. -#}
{% macro text_literal(text) -%}
    '{{ dbt.escape_single_quotes(text) }}'
{%- endmacro %}
