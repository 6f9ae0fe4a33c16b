{#- What the quality rules of a model need to know of rows, counted in one scan and part by part, so that an increment
    counts only the parts that changed: tallies of parts add up.

    model_name: the model whose rules they are; stage: incoming or curated; relation, condition: the rows; key: the
    column whose values are the examples; part: an expression for a row's part; counts: by name, further aggregates.
    Returns a query with the columns stage, part, tally, amount and examples. A tally is `rows`, one of the counts, or
    what `tally_of` names: the rows that offend against a rule, with the smallest of their keys as examples. -#}
{% macro tally_rules(model_name, stage, relation, key, part, condition='true', counts={}) -%}
    {%- set tallies = rule_tallies(model_name) -%}
    {%- set counts = dict({'rows': 'count(*)'}, **counts) -%}
    select
        '{{ stage }}' as stage,
        counted.part,
        declared.tally,
        cast(
            case declared.tally
                {%- for name in counts %}
                when '{{ name }}' then counted.{{ name }}_counted
                {%- endfor %}
                {%- for tally in tallies %}
                when {{ text_literal(tally) }} then counted.offences_{{ loop.index }}
                {%- endfor %}
            end as bigint
        ) as amount,
        cast(
            case declared.tally
                when 'rows' then null
                {%- for tally in tallies %}
                when {{ text_literal(tally) }} then counted.examples_{{ loop.index }}
                {%- endfor %}
            end as varchar
        ) as examples
    from (
        select
            part,
            {%- for tally, rule in tallies.items() %}
            count(case when offends_{{ loop.index }} then 1 end) as offences_{{ loop.index }},
            {{ smallest('case when offends_' ~ loop.index ~ ' then ' ~ key ~ ' end', 5, example_separator()) }} as examples_{{ loop.index }},
            {%- endfor %}
            {%- for name, aggregate in counts.items() %}
            {{ aggregate }} as {{ name }}_counted{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                measured.*,
                {%- for tally, rule in tallies.items() %}
                {{ violates(rule) }} as offends_{{ loop.index }},
                {%- endfor %}
                {{ part }} as part
            from {{ relation }} as measured
            where {{ condition }}
        ) as judged
        group by part
    ) as counted
    cross join (
        values
        {%- for name in (counts | list) + (tallies | list) %}
        ({{ text_literal(name) }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as declared (tally)
{%- endmacro %}

{#- By name, a rule for each tally that the rules of a model ask for. -#}
{% macro rule_tallies(model_name) -%}
    {%- set tallies = {} -%}
    {%- for rule in (quality_rules(model_name) if execute else []) if rule.measure != 'row_count' -%}
        {%- do tallies.update({tally_of(rule): rule}) -%}
    {%- endfor -%}
    {{ return(tallies) }}
{%- endmacro %}

{#- The name of what is counted for a rule; rules that differ in their threshold only share it. -#}
{% macro tally_of(rule) -%}
    {%- set asked = [rule.column, rule.value, rule.pattern] | reject('none') | reject('undefined') | join(', ') -%}
    {{ return('rows' if rule.measure == 'row_count' else rule.measure ~ '(' ~ asked ~ ')') }}
{%- endmacro %}

{#- Whether the rules of a model ask for tallies that this table, where it is, has none of: a rule is new or has changed. -#}
{% macro lacks_tallies(model_name) -%}
    {%- if load_relation(this) is none -%}{{ return(false) }}{%- endif -%}
    {%- set known = once_a_run('select distinct tally from ' ~ this) | map('first') | list -%}
    {{ return(known | length > 0 and rule_tallies(model_name) | reject('in', known) | list | length > 0) }}
{%- endmacro %}

{#- What stands between the keys of examples until they are shown; no sane key has it. -#}
{% macro example_separator() -%}
    chr(31)
{%- endmacro %}
