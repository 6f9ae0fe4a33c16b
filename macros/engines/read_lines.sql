{#- The non-blank lines of text files.

    files: paths relative to the root of the lake.
    Returns a table expression with the columns line and source_file. -#}
{% macro read_lines(files) -%}
    {{ return(adapter.dispatch('read_lines')(files)) }}
{%- endmacro %}

{% macro default__read_lines(files) -%}
    {{ return(unsupported('read_lines')) }}
{%- endmacro %}

{#- The CSV reader splits at LF and CRLF in parallel; the separator is one that `datalake check` lets no file
    have, so that every line is one value. -#}
{% macro duckdb__read_lines(files) -%}
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
