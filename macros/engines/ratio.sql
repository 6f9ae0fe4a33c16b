{#- part / whole as a double, 1 where there is nothing to divide: dividing integers truncates on one engine and
    not on the other. -#}
{% macro ratio(part, whole) -%}
    coalesce(cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0), 1)
{%- endmacro %}
