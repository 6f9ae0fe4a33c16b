{#- The names of the conditions that hold, comma separated in the order given; NULL when none does.

    conditions: a mapping of reason to SQL condition. -#}
{% macro reasons(conditions) -%}
    nullif(concat_ws(
        ','
        {%- for reason, condition in conditions.items() %},
        case when {{ condition }} then '{{ reason }}' end
        {%- endfor %}
    ), '')
{%- endmacro %}
