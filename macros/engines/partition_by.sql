{#- How a table is partitioned, for `partitioned_by` in a model's config; nothing on DuckDB, which needs none.

    A write opens at most 100 partitions on Athena; dbt-athena does a larger one in batches. -#}

{#- By a date or time: a partition a day, month or year. -#}
{% macro partition_by_date(column, part='day') -%}
    {%- if part not in ('day', 'month', 'year') -%}
        {{ exceptions.raise_compiler_error("partition_by_date knows day, month and year, not '" ~ part ~ "'") }}
    {%- endif -%}
    {{ return(adapter.dispatch('partition_by')(part ~ '(' ~ column ~ ')')) }}
{%- endmacro %}

{#- By a column of few values: a partition a value. -#}
{% macro partition_by_category(column) -%}
    {{ return(adapter.dispatch('partition_by')(column)) }}
{%- endmacro %}

{#- By the hash of a column of many values, so that those of one key lie together. -#}
{% macro partition_by_hash(column, buckets) -%}
    {{ return(adapter.dispatch('partition_by')('bucket(' ~ column ~ ', ' ~ buckets ~ ')')) }}
{%- endmacro %}

{% macro default__partition_by(transform) -%}
    {{ return(none) }}
{%- endmacro %}

{% macro athena__partition_by(transform) -%}
    {{ return([transform]) }}
{%- endmacro %}
