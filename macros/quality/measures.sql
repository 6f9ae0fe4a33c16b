{#- The rows that offend against a rule, as a query of one row: violations, how many there are; examples, their
    smallest keys; and for uniqueness absent and repeated, the rows without a value and those that share theirs.

    copies: a relation with the rule's column and copies, how often each value stands in the rows. -#}
{% macro offences(rule, relation, key, copies) -%}
    {%- if rule.measure == 'uniqueness' -%}
        select
            count(*) as violations,
            {{ smallest(rule.column, 5) }} as examples,
            coalesce(sum(copies), 0) as repeated,
            (select count(*) from {{ relation }} where {{ rule.column }} is null) as absent
        from {{ copies }} as counted
        where copies > 1 and {{ rule.column }} is not null
    {%- else -%}
        select
            count(*) as violations,
            {{ smallest(key, 5) }} as examples
        from (
            {{ offending_rows(rule, relation, key) }}
        ) as offending
    {%- endif -%}
{%- endmacro %}

{% macro offending_rows(rule, relation, key) -%}
    {%- if rule.measure == 'matches' -%}
            select {{ key }} from {{ relation }}
            where {{ rule.column }} is null
            union all
            select {{ key }} from {{ relation }}
            where {{ rule.column }} in (
                -- Each value once; asked of an aggregate, since of the column itself the engine would ask it row by row.
                select {{ rule.column }}
                from {{ relation }}
                group by {{ rule.column }}
                having {{ violates(dict(rule, column='max(' ~ rule.column ~ ')')) }}
            )
    {%- else -%}
            select {{ key }} from {{ relation }}
            where {{ violates(rule) }}
    {%- endif -%}
{%- endmacro %}

{#- The condition of an offending row, for rules that look at one row. -#}
{% macro violates(rule) -%}
    {%- if rule.measure == 'completeness' -%}
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

{#- One figure of a rule from its offences: measured, a ratio or a number of rows; whether it passed against the
    threshold; its violations or its examples. -#}
{% macro figure_of(rule, figure) -%}
    {%- if figure == 'measured' -%}
        {%- if rule.measure == 'row_count' -%}
            cast(row_count as double)
        {%- elif rule.measure == 'uniqueness' -%}
            {%- set rows_with_value = 'row_count - ' ~ rule.rule ~ '.absent' -%}
            {{ ratio(rows_with_value ~ ' - ' ~ rule.rule ~ '.repeated', rows_with_value) }}
        {%- else -%}
            {{ ratio('row_count - ' ~ rule.rule ~ '.violations', 'row_count') }}
        {%- endif -%}
    {%- elif figure == 'passed' -%}
        {{ figure_of(rule, 'measured') }} {{ rule.comparison }} {{ rule.threshold }}
    {%- elif rule.measure == 'row_count' -%}
        {{ 'cast(null as varchar)' if figure == 'examples' else 'case when ' ~ figure_of(rule, 'passed') ~ ' then 0 else 1 end' }}
    {%- else -%}
        {{ rule.rule }}.{{ figure }}
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
