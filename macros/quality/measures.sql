{#- The condition of an offending row. Of uniqueness, which no row offends against alone: a row without a value.

    relation, condition: the rows that are judged, for measures that look at each different value once. -#}
{% macro violates(rule, relation=none, condition='true') -%}
    {%- if rule.measure in ('completeness', 'uniqueness') -%}
        {{ rule.column }} is null
    {%- elif rule.measure == 'above' -%}
        ({{ rule.column }} is null or {{ rule.column }} <= {{ rule.value }})
    {%- elif rule.measure == 'matches' and relation is none -%}
        not coalesce({{ matches_pattern('cast(' ~ rule.column ~ ' as varchar)', rule.pattern) }}, false)
    {%- elif rule.measure == 'matches' -%}
        ({{ rule.column }} is null or {{ rule.column }} in (
            -- Each value once; asked of an aggregate, since of the column itself the engine would ask it row by row.
            select {{ rule.column }}
            from {{ relation }}
            where {{ condition }}
            group by {{ rule.column }}
            having {{ violates(dict(rule, column='max(' ~ rule.column ~ ')')) }}
        ))
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
