{#- What a quality rule measures, as aggregates over the rows; for uniqueness and patterns over `copies_of` a column. -#}

{#- The figure that the threshold is held against: a ratio, or a number of rows. -#}
{% macro measured(rule) -%}
    {%- if rule.measure == 'completeness' -%}
        {{ ratio('count(' ~ rule.column ~ ')', 'count(*)') }}
    {%- elif rule.measure == 'uniqueness' -%}
        {{ ratio(
            'sum(case when copies = 1 and ' ~ rule.column ~ ' is not null then 1 else 0 end)',
            'sum(case when ' ~ rule.column ~ ' is not null then copies else 0 end)'
        ) }}
    {%- elif rule.measure == 'row_count' -%}
        cast(count(*) as double)
    {%- elif rule.measure == 'matches' -%}
        {{ ratio('sum(case when not ' ~ violates(rule) ~ ' then copies else 0 end)', 'sum(copies)') }}
    {%- elif rule.measure == 'above' -%}
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
        ({{ rule.column }} is not null and copies > 1)
    {%- elif rule.measure == 'above' -%}
        (not coalesce({{ rule.column }} > {{ rule.value }}, false))
    {%- elif rule.measure == 'matches' -%}
        (not coalesce({{ matches_pattern('cast(' ~ rule.column ~ ' as varchar)', rule.pattern) }}, false))
    {%- endif -%}
{%- endmacro %}

{#- The number of offending rows; for uniqueness, of keys with several. -#}
{% macro violations(rule) -%}
    {%- if rule.measure == 'matches' -%}
        coalesce(sum(case when {{ violates(rule) }} then copies end), 0)
    {%- else -%}
        count(case when {{ violates(rule) }} then 1 end)
    {%- endif -%}
{%- endmacro %}

{#- Whether the measured figure is good enough. -#}
{% macro holds(measured, rule) -%}
    {{ measured }} {{ rule.comparison }} {{ rule.threshold }}
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
