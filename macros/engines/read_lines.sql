{#- The non-blank lines of text files.

    dataset: whose files they are; files: what `sound_files` gives.
    Returns a table expression with the columns line and source_file, which is relative to the root of the lake. -#}
{% macro read_lines(dataset, files) -%}
    {{ return(adapter.dispatch('read_lines')(dataset, files)) }}
{%- endmacro %}

{% macro default__read_lines(dataset, files) -%}
    {{ return(unsupported('read_lines')) }}
{%- endmacro %}

{#- The CSV reader splits at LF and CRLF in parallel; the separator is one that `datalake check` lets no file
    have, so that every line is one value. -#}
{% macro duckdb__read_lines(dataset, files) -%}
    {%- if files -%}
    (
        select line, {{ path_below_root('filename') }} as source_file
        from read_csv(
            {{ file_list(files) }},
            columns = {'line': 'varchar'},
            auto_detect = false,
            header = false,
            delim = e'\x1f\x1e\x1f',
            quote = '',
            escape = '',
            new_line = '\n',
            strict_mode = false,
            -- DuckDB's own 32 MB a file are dear for thousands of small files.
            buffer_size = 4194304,
            max_line_size = 2097152,
            filename = true
        )
        where starts_with(line, '{') or trim(line, e' \t\r') <> ''
    )
    {%- else -%}
    (select null::varchar as line, null::varchar as source_file where false)
    {%- endif -%}
{%- endmacro %}

{% macro file_list(files) -%}
    {%- set root = var('lake_root') ~ '/' -%}
    {%- set names = files | join('\n') | replace("'", "''") -%}
    ['{{ root }}{{ names | replace('\n', "', '" ~ root) }}']
{%- endmacro %}

{% macro path_below_root(path) -%}
    substr({{ path }}, {{ var('lake_root') | length + 2 }})
{%- endmacro %}

{% macro athena__read_lines(dataset, files) -%}
    {{ athena_read(athena_lines_table(source('raw_db', dataset)), ['line'], files, "not regexp_like(line, '\\A[ \\t\\r]*\\z')") }}
{%- endmacro %}

{#- These columns of the rows of files that hold to a condition, and source_file, as a table expression. -#}
{% macro athena_read(table, columns, files, condition) -%}
    {%- if files -%}
    (
        {%- for source, days in files.folders.items() %}
        select
            {{ columns | join(', ') }},
            substr("$path", {{ athena_lake_root() | length + 2 }}) as source_file
        from {{ table }}
        where
            {% if source is not none -%}
            source = '{{ source | replace("'", "''") }}'
            and {% endif -%}
            {% if days | length > 1000 -%}
            arrived between '{{ days | first }}' and '{{ days | last }}'
            {%- else -%}
            arrived in ('{{ days | join("', '") }}')
            {%- endif %}
            and {{ files.condition }}
            and {{ condition }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    )
    {%- else -%}
    (
        select
            {% for column in columns -%}
            cast(null as varchar) as {{ column }},
            {% endfor -%}
            cast(null as varchar) as source_file
        where false
    )
    {%- endif -%}
{%- endmacro %}
