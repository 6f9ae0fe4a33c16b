{#- The condition of an offending row. Of uniqueness, which no row offends against alone: a row without a value. -#}
{% macro violates(rule) -%}
    {%- if rule.measure in ('completeness', 'uniqueness') -%}
        {{ rule.column }} is null
    {%- elif rule.measure == 'above' -%}
        ({{ rule.column }} is null or {{ rule.column }} <= {{ rule.value }})
    {%- elif rule.measure == 'matches' -%}
        not coalesce({{ matches_pattern('cast(' ~ rule.column ~ ' as varchar)', rule.pattern) }}, false)
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "Unknown measure '" ~ rule.measure ~ "'; use completeness, uniqueness, row_count, above or matches"
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- How often each value of a column stands in the rows. -#}
{% macro copies_of(column, relation) -%}
    (
        select
            {{ column }},
            count(*) as copies
        from {{ relation }}
        group by {{ column }}
    )
{%- endmacro %}
