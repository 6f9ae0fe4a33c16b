{#- The values of `column` in every sound version, old and new, of the keys that came with files this model has
    not taken yet: the dates or products whose rows must be made again. -#}
{% macro touched_values(dataset, key, column) -%}
    {%- set parsed = ref(dataset ~ '_parsed') -%}
    select versions.{{ column }}
    from {{ parsed }} as versions
    where
        versions.reasons is null
        and versions.{{ key }} in (
            select {{ key }} from {{ parsed }} where reasons is null and {{ in_new_file(dataset) }}
        )
    group by versions.{{ column }}
{%- endmacro %}
