{#- The raw tables for people: on the local target views over the files, on Athena tables with partition
    projection. A data set without a file is an empty table. -#}
{% macro create_raw_views() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test') -%}
        {{ return(adapter.dispatch('create_raw_views')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__create_raw_views() -%}
    {{ return(unsupported('create_raw_views')) }}
{%- endmacro %}

{% macro duckdb__create_raw_views() -%}
    {%- set ledger -%}
        select dataset, string_agg(file, chr(10) order by file_id) filter (where state = 'sound' and rows > 0) as sound,
            bool_or(state = 'broken') as has_broken
        from {{ source('ledger', 'raw_files') }} group by dataset
    {%- endset -%}
    {%- set by_dataset = {} -%}
    {%- for row in run_query(ledger).rows -%}
        {%- do by_dataset.update({row['dataset']: row}) -%}
    {%- endfor %}
    create schema if not exists raw_db;
    {%- for table in graph.sources.values() if table.source_name == 'raw_db' %}
    {%- set row = by_dataset.get(table.name) %}
    {%- set files = row['sound'].split('\n') if row and row['sound'] else [] %}
    create or replace view raw_db.{{ table.name }} as {{ raw_view_query(table, files, row and row['has_broken']) }};
    {%- endfor %}
{%- endmacro %}

{#- Files are named one by one only where a broken one must be left out. -#}
{% macro raw_view_query(table, files, has_broken) -%}
    {%- set columns = table.columns.values() | map(attribute='name') | list -%}
    {%- set endings = [] -%}
    {%- for file in files -%}{%- do endings.append(file.split('/')[-1].split('.', 1)[-1]) -%}{%- endfor -%}
    {%- set globs = [] -%}
    {%- for ending in endings | unique -%}{%- do globs.append(table.external.location ~ '**/*.' ~ ending) -%}{%- endfor -%}
    {%- set rows = read_json_view(columns, files if has_broken else globs)
        if table.external.file_format == 'json' and files
        else read_rows(table.external.file_format, columns, files if has_broken else globs) -%}
    select
        {% for column in columns -%}
            {{ column }},
        {% endfor -%}
        {% for partition in table.external.partitions -%}
            {%- if partition.name == 'arrived' -%}
                regexp_extract(source_file, 'year=[0-9]+/month=[0-9]+/day=[0-9]+') as arrived,
            {% else -%}
                regexp_extract(source_file, '{{ partition.name }}=([^/]+)', 1) as {{ partition.name }},
            {% endif -%}
        {%- endfor -%}
        source_file
    from {{ rows }}
{%- endmacro %}

{% macro read_json_view(columns, files) -%}
    (
        select {{ columns | join(', ') }}, {{ path_below_root('filename') }} as source_file
        from read_json(
            {{ file_list(files) }},
            columns = { {%- for column in columns %}'{{ column }}': 'varchar'{{ ', ' if not loop.last }}{% endfor -%} },
            format = 'newline_delimited',
            ignore_errors = true,
            filename = true
        )
    )
{%- endmacro %}
