{#- The rows of CSV or Parquet files.

    dataset: whose files they are; file_format: csv or parquet; columns: their names; files: what `sound_files` gives.
    Returns a table expression with each declared column as text, and source_file. -#}
{% macro read_rows(dataset, file_format, columns, files) -%}
    {{ return(adapter.dispatch('read_rows')(dataset, file_format, columns, files)) }}
{%- endmacro %}

{% macro default__read_rows(dataset, file_format, columns, files) -%}
    {{ return(unsupported('read_rows')) }}
{%- endmacro %}

{% macro duckdb__read_rows(dataset, file_format, columns, files) -%}
    {%- set empty -%}
        select {% for column in columns %}null::varchar as {{ column }}, {% endfor %}null::varchar as filename where false
    {%- endset -%}
    (
        select {{ columns | join(', ') }}, {{ path_below_root('filename') }} as source_file
        from (
            {%- if files and file_format == 'csv' %}
            select * from read_csv(
                {{ file_list(files) }},
                columns = { {%- for column in columns %}'{{ column }}': 'varchar'{{ ', ' if not loop.last }}{% endfor -%} },
                auto_detect = false,
                header = true,
                delim = ',',
                quote = '"',
                escape = '"',
                buffer_size = 4194304,
                max_line_size = 2097152,
                filename = true
            )
            {%- elif files %}
            {{ empty }}
            union all by name
            select * from read_parquet({{ file_list(files) }}, union_by_name = true, filename = true)
            {%- else %}
            {{ empty }}
            {%- endif %}
        )
    )
{%- endmacro %}

{#- A CSV line is taken apart here: OpenCSVSerde has its own ideas of backslashes and quotes. -#}
{% macro athena__read_rows(dataset, file_format, columns, files) -%}
    {%- if file_format == 'csv' -%}
    (
        select
            {%- for column in columns %}
            {%- set cell = 'element_at(cells, ' ~ loop.index ~ ')' %}
            nullif(
                case
                    when regexp_like({{ cell }}, '\A, *"') then replace(regexp_extract({{ cell }}, '"(.*)"\z', 1), '""', '"')
                    else substr({{ cell }}, 2)
                end,
                ''
            ) as {{ column }},
            {%- endfor %}
            source_file
        from (
            select
                regexp_extract_all(',' || line, ', *"(?:[^"]|"")*"|,[^,]*') as cells,
                source_file
            from {{ athena_read(athena_lines_table(source('raw_db', dataset)), ['line'], files, "line <> ''") }} as csv_lines
        ) as csv_rows
    )
    {%- else -%}
    {{ athena_read(source('raw_db', dataset), columns, files, 'true') }}
    {%- endif -%}
{%- endmacro %}
