{#- All quality rules of a model at one stage, from the tallies of its rows.

    model_name: the model whose rules they are; stage: incoming or curated; tallies: what `tally_rules` gave; copies: by
    column of a uniqueness rule, a relation with the column and copies, how often each value stands in the rows; values
    that stand once may be missing.
    Returns a query with the columns of `quality_results`, without checked_at. -#}
{% macro measure_rules(model_name, stage, tallies, copies={}) -%}
    {%- set rules = quality_rules(model_name) if execute else [] -%}
    with declared as (
        select * from (
            values
            {%- for rule in rules %}
            (
                '{{ rule.rule }}',
                {{ text_literal(rule.description) }},
                '{{ rule.measure }}',
                {{ text_literal(tally_of(rule)) }},
                '{{ rule.comparison }}',
                cast({{ rule.threshold }} as double)
            ){{ ',' if not loop.last }}
            {%- else %}
            ('none', 'none', 'none', 'none', '>', cast(0 as double))
            {%- endfor %}
        ) as declared_rules (rule, description, measure, tally, comparison, threshold)
    ),

    tallied as (
        select
            tally,
            sum(amount) as amount
        from {{ tallies }} as tallies
        where stage = '{{ stage }}'
        group by tally
    ),

    shown as (
        select
            tally,
            nullif({{ smallest('example', 5) }}, '') as examples
        from {{ tallies }} as tallies
        cross join unnest(split(tallies.examples, {{ example_separator() }})) as split_examples (example)
        where stage = '{{ stage }}' and tallies.examples is not null
        group by tally
    ),

    repeated as (
        {%- for rule in rules if rule.measure == 'uniqueness' %}
        select
            '{{ rule.rule }}' as rule,
            count(*) as value_count,
            coalesce(sum(copies), 0) as row_count,
            nullif({{ smallest(rule.column, 5) }}, '') as examples
        from {{ copies[rule.column] or exceptions.raise_compiler_error(
            "The rule " ~ rule.rule ~ " asks whether " ~ rule.column ~ " is unique: give measure_rules its copies"
        ) }} as copies
        where copies > 1 and {{ rule.column }} is not null
        {{ 'union all' if not loop.last }}
        {%- else %}
        select 'none' as rule, 0 as value_count, 0 as row_count, cast(null as varchar) as examples
        {%- endfor %}
    ),

    measured_rules as (
        select
            declared.*,
            case declared.measure
                when 'row_count' then cast(scanned.row_count as double)
                when 'uniqueness'
                    then {{ ratio(
                        'scanned.row_count - coalesce(tallied.amount, 0) - repeated.row_count',
                        'scanned.row_count - coalesce(tallied.amount, 0)'
                    ) }}
                else {{ ratio('scanned.row_count - coalesce(tallied.amount, 0)', 'scanned.row_count') }}
            end as measured,
            coalesce(repeated.value_count, tallied.amount, 0) as offence_count,
            case when declared.measure = 'uniqueness' then repeated.examples else shown.examples end as examples
        from declared
        cross join (select coalesce(sum(amount), 0) as row_count from tallied where tally = 'rows') as scanned
        left join tallied on declared.tally = tallied.tally
        left join shown on declared.tally = shown.tally
        left join repeated on declared.rule = repeated.rule
    ),

    judged as (
        select
            *,
            case when comparison = '>' then measured > threshold else measured >= threshold end as passed
        from measured_rules
    )

    select
        '{{ model_name }}' as model,
        '{{ stage }}' as stage,
        rule,
        description,
        passed,
        cast(
            case when measure <> 'row_count' then offence_count when passed then 0 else 1 end as bigint
        ) as violation_count,
        threshold,
        cast(measured as double) as measured,
        cast(examples as varchar) as examples
    from judged
{%- endmacro %}
