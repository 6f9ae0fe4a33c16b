{#- The key of a dimension's unknown member: where facts point whose key has no row of its own. -#}
{% macro unknown_key() -%}
    '(unknown)'
{%- endmacro %}
