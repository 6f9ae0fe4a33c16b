{#- The select list of one entry of the reconciliation: how many raw rows of a data set are explained, and how. -#}
{% macro account_for(dataset, curated='0', superseded='0', deleted='0', quarantined='0') -%}
    '{{ dataset }}' as dataset,
        cast({{ curated }} as bigint) as curated_rows,
        cast(coalesce({{ superseded }}, 0) as bigint) as superseded_rows,
        cast({{ deleted }} as bigint) as deleted_rows,
        cast({{ quarantined }} as bigint) as quarantined_rows
{%- endmacro %}

{#- The entries of a data set whose current table says how many versions each row stands for. -#}
{% macro account_for_versions(dataset) -%}
    select
        {{ account_for(dataset, curated='count(*)', superseded='sum(version_count) - count(*)') }}
    from {{ ref(dataset) }}
    union all
    {{ account_for_broken_rows(dataset) }}
{%- endmacro %}

{#- The entry of the broken rows of a data set. -#}
{% macro account_for_broken_rows(dataset) -%}
    select
        {{ account_for(dataset, quarantined='count(reasons)') }}
    from {{ ref(dataset ~ '_parsed') }}
{%- endmacro %}

{% macro count_where(condition) -%}
    count(case when {{ condition }} then 1 end)
{%- endmacro %}

{#- The sum of a tally over all parts. -#}
{% macro tallied(stage, tally) -%}
    coalesce(sum(case when stage = '{{ stage }}' and tally = '{{ tally }}' then amount end), 0)
{%- endmacro %}
