{#- All quality rules of a model measured on one relation: one scan for all, and one more of a column whose values
    are counted first, for uniqueness and for patterns, which are held against each different value once.

    model_name: the model whose rules they are; stage: incoming or curated; relation: what is measured;
    key: the column whose values are the examples; copies: by column, a relation with the column and copies, how
    often each value stands in the rows, where that is known without counting all of them.
    Returns a query with the columns of `quality_results`, without checked_at. -#}
{% macro measure_rules(model_name, stage, relation, key, copies={}) -%}
    {%- set rules = quality_rules(model_name) if execute else [] -%}
    select
        '{{ model_name }}' as model,
        '{{ stage }}' as stage,
        declared.rule,
        declared.description,
        {{ pick_by_rule(rules, 'passed') }} as passed,
        cast({{ pick_by_rule(rules, 'violations') }} as bigint) as violation_count,
        declared.threshold,
        cast({{ pick_by_rule(rules, 'measured') }} as double) as measured,
        cast({{ pick_by_rule(rules, 'examples') }} as varchar) as examples
    from (
        select
            {%- for rule in rules if rule.measure not in ['uniqueness', 'matches'] %}
            {{ measures_of(rule, key) }},
            {%- endfor %}
            {%- for rule in rules if rule.measure == 'uniqueness' %}
            count({{ rule.column }}) as {{ rule.rule }}_rows,
            {%- endfor %}
            count(*) as scanned_rows
        from {{ relation }}
    ) as one_scan
    {%- for rule in rules if rule.measure == 'matches' %}
    cross join (
        select
            {{ measured(rule) }} as {{ rule.rule }}_measured,
            {{ violations(rule) }} as {{ rule.rule }}_violations,
            (
                select {{ smallest(key, 5) }}
                from {{ relation }}
                where
                    {{ rule.column }} is null
                    -- Asked of an aggregate, since of the column itself the engine would ask it row by row.
                    or {{ rule.column }} in (
                        select {{ rule.column }}
                        from {{ relation }}
                        group by {{ rule.column }}
                        having {{ violates(dict(rule, column='max(' ~ rule.column ~ ')')) }}
                    )
            ) as {{ rule.rule }}_examples
        from {{ copies_of(rule.column, relation) }} as counted
    ) as {{ rule.rule }}
    {%- endfor %}
    {%- for rule in rules if rule.measure == 'uniqueness' %}
    cross join (
        select
            coalesce(sum(copies), 0) as {{ rule.rule }}_repeated,
            {{ violations(rule) }} as {{ rule.rule }}_violations,
            {{ smallest(rule.column, 5) }} as {{ rule.rule }}_examples
        from {{ copies[rule.column] or copies_of(rule.column, relation) }} as counted
        where copies > 1
    ) as {{ rule.rule }}
    {%- endfor %}
    cross join (
        values
        {%- for rule in rules %}
        ('{{ rule.rule }}', '{{ rule.description | replace("'", "''") }}', cast({{ rule.threshold }} as double)){{ ',' if not loop.last }}
        {%- else %}
        ('none', 'none', cast(0 as double))
        {%- endfor %}
    ) as declared (rule, description, threshold)
{%- endmacro %}

{#- The three figures of a rule and whether it holds, as columns named for it. -#}
{% macro measures_of(rule, key) -%}
    {{ measured(rule) }} as {{ rule.rule }}_measured,
    {% if rule.measure == 'row_count' -%}
    case when {{ holds(measured(rule), rule) }} then 0 else 1 end as {{ rule.rule }}_violations,
    cast(null as varchar) as {{ rule.rule }}_examples
    {%- else -%}
    {{ violations(rule) }} as {{ rule.rule }}_violations,
    {{ smallest('case when ' ~ violates(rule) ~ ' then ' ~ key ~ ' end', 5) }} as {{ rule.rule }}_examples
    {%- endif -%}
{%- endmacro %}

{% macro pick_by_rule(rules, figure) -%}
    case declared.rule
            {%- for rule in rules %}
            {%- set measured = ratio(rule.rule ~ '_rows - ' ~ rule.rule ~ '_repeated', rule.rule ~ '_rows')
                if rule.measure == 'uniqueness' else rule.rule ~ '_measured' %}
            when '{{ rule.rule }}' then {{
                measured if figure == 'measured' else holds(measured, rule) if figure == 'passed' else rule.rule ~ '_' ~ figure
            }}
            {%- else %}
            when 'none' then null
            {%- endfor %}
        end
{%- endmacro %}
