{#- The names of the conditions that hold, comma separated in the order given; NULL when none does.

    conditions: a mapping of reason to SQL condition. Few rows are broken, so only of those names are put together. -#}
{% macro reasons(conditions) -%}
    case
        when ({{ conditions.values() | join(') or (') }})
            then concat_ws(
                ','
                {%- for reason, condition in conditions.items() %},
                case when {{ condition }} then '{{ reason }}' end
                {%- endfor %}
            )
    end
{%- endmacro %}
