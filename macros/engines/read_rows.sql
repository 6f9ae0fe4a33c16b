{#- The rows of CSV or Parquet files.

    file_format: csv or parquet; columns: their names; files: paths relative to the root of the lake.
    Returns a table expression with each declared column as text, and source_file. -#}
{% macro read_rows(file_format, columns, files) -%}
    {{ return(adapter.dispatch('read_rows')(file_format, columns, files)) }}
{%- endmacro %}

{% macro default__read_rows(file_format, columns, files) -%}
    {{ return(unsupported('read_rows')) }}
{%- endmacro %}

{% macro duckdb__read_rows(file_format, columns, files) -%}
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
