{#- All quality rules of a model measured on one relation: one scan for all, one more of the key for uniqueness.

    model_name: the model whose rules they are; stage: incoming or curated; relation: what is measured;
    key: the column whose values are the examples.
    Returns a query with the columns of `quality_results`, without checked_at. -#}
{% macro measure_rules(model_name, stage, relation, key) -%}
    {%- set rules = quality_rules(model_name) if execute else [] -%}
    {%- set ratios = rules | rejectattr('measure', 'equalto', 'uniqueness') | list -%}
    {%- set unique = rules | selectattr('measure', 'equalto', 'uniqueness') | list -%}
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
            {%- for rule in ratios %}
            {{ measures_of(rule, key) }},
            {%- endfor %}
            count(*) as scanned_rows
        from {{ relation }}
    ) as one_scan
    {%- for rule in unique %}
    cross join (
        select
            {{ measures_of(rule, rule.column) }}
        from {{ copies_of(rule.column, relation) }} as keys
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
    {{ holds(measured(rule), rule) }} as {{ rule.rule }}_passed,
    {% if rule.measure == 'row_count' -%}
    case when {{ holds(measured(rule), rule) }} then 0 else 1 end as {{ rule.rule }}_violations,
    cast(null as varchar) as {{ rule.rule }}_examples
    {%- else -%}
    count(case when {{ violates(rule) }} then 1 end) as {{ rule.rule }}_violations,
    {{ smallest('case when ' ~ violates(rule) ~ ' then ' ~ key ~ ' end', 5) }} as {{ rule.rule }}_examples
    {%- endif -%}
{%- endmacro %}

{% macro pick_by_rule(rules, figure) -%}
    case declared.rule
            {%- for rule in rules %}
            when '{{ rule.rule }}' then {{ rule.rule }}_{{ figure }}
            {%- else %}
            when 'none' then null
            {%- endfor %}
        end
{%- endmacro %}
