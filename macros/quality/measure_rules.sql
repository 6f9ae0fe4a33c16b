{#- All quality rules of a model measured on one relation: the rows are counted once, and each rule asks for its
    offending rows only, which the engine finds by one column.

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
        select count(*) as row_count from {{ relation }}
    ) as scanned
    {%- for rule in rules if rule.measure != 'row_count' %}
    cross join (
        {{ offences(rule, relation, key, copies[rule.column] or copies_of(rule.column, relation)) }}
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

{% macro pick_by_rule(rules, figure) -%}
    case declared.rule
            {%- for rule in rules %}
            when '{{ rule.rule }}' then {{ figure_of(rule, figure) }}
            {%- else %}
            when 'none' then null
            {%- endfor %}
        end
{%- endmacro %}
