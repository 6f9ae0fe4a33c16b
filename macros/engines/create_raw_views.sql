{#- The raw tables for people: on the local target views over the sound files of the ledger, on Athena tables with
    partition projection. A data set without a file is an empty table.

    A view names its files, and naming thousands takes as long as a day's increment. So a run makes only
    views that are missing, `dbt run-operation create_raw_views` makes all, and a view that files came after says so
    instead of leaving them out.

    A pull request's build makes none: it writes to no database but its own. -#}
{% macro create_raw_views() -%}
    {%- set is_pull_request = target.schema.startswith('pr_') -%}
    {%- if execute and not is_pull_request and flags.WHICH in ('run', 'build', 'test', 'run-operation') -%}
        {{ return(adapter.dispatch('create_raw_views')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__create_raw_views() -%}
    {{ return(unsupported('create_raw_views')) }}
{%- endmacro %}

{% macro duckdb__create_raw_views() -%}
    {%- set is_operation = flags.WHICH == 'run-operation' -%}
    {%- set present = run_query("select table_name from information_schema.tables where table_schema = 'raw_db'") -%}
    {%- set standing = [] if is_operation else present.columns[0].values() -%}
    {%- set statements -%}
    create schema if not exists raw_db;
    {%- for table in graph.sources.values() if table.source_name == 'raw_db' %}
    {%- if table.name not in standing %}
    create or replace view raw_db.{{ table.name }} as
        {{ duckdb_raw_view(table, sound_files(table.name)) }} where {{ duckdb_is_complete(table.name) }};
    {%- endif %}
    {%- endfor %}
    {%- endset -%}
    {%- if is_operation -%}
        {%- do run_query(statements) -%}
    {%- else -%}
        {{ return(statements) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb_is_complete(dataset) -%}
    {%- set newest = "select coalesce(max(file_id), 0) from curated_db.raw_files where dataset = '" ~ dataset ~ "' and state = 'sound'" -%}
    case
        when ({{ newest }}) > {{ run_query(newest).columns[0].values()[0] }}
            then error('raw_db.{{ dataset }} lacks the newest files; renew it with `dbt run-operation create_raw_views`')
        else true
    end
{%- endmacro %}

{% macro duckdb_raw_view(table, files) -%}
    {%- set columns = table.columns.values() | map(attribute='name') | list -%}
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
    from
        {% if files and table.external.file_format == 'json' -%}
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
        {%- else -%}
        {{ read_rows(table.name, table.external.file_format, columns, files) }}
        {%- endif %}
{%- endmacro %}
