{#- What a quality rule measures, as aggregates over one scan of the rows. -#}

{#- The figure that the threshold is held against: a ratio, or a number of rows. -#}
{% macro measured(rule) -%}
    {%- if rule.measure == 'completeness' -%}
        {{ ratio('count(' ~ rule.column ~ ')', 'count(*)') }}
    {%- elif rule.measure == 'uniqueness' -%}
        {{ ratio('sum(case when copies = 1 then 1 else 0 end)', 'sum(copies)') }}
    {%- elif rule.measure == 'row_count' -%}
        cast(count(*) as double)
    {%- elif rule.measure in ('above', 'matches') -%}
        {{ ratio('count(case when not ' ~ violates(rule) ~ ' then 1 end)', 'count(*)') }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "Unknown measure '" ~ rule.measure ~ "'; use completeness, uniqueness, row_count, above or matches"
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- The condition of an offending row; for uniqueness, of a key with several copies. -#}
{% macro violates(rule) -%}
    {%- if rule.measure == 'completeness' -%}
        ({{ rule.column }} is null)
    {%- elif rule.measure == 'uniqueness' -%}
        (copies > 1)
    {%- elif rule.measure == 'above' -%}
        (not coalesce({{ rule.column }} > {{ rule.value }}, false))
    {%- elif rule.measure == 'matches' -%}
        (not coalesce({{ matches_pattern('cast(' ~ rule.column ~ ' as varchar)', rule.pattern) }}, false))
    {%- endif -%}
{%- endmacro %}

{#- Whether the measured figure is good enough. -#}
{% macro holds(measured, rule) -%}
    {{ measured }} {{ rule.comparison }} {{ rule.threshold }}
{%- endmacro %}

{#- How often each key stands in the rows, for uniqueness. -#}
{% macro copies_of(column, relation) -%}
    (
        select
            {{ column }},
            count(*) as copies
        from {{ relation }}
        where {{ column }} is not null
        group by {{ column }}
    )
{%- endmacro %}
