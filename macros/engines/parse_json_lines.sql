{#- Each line's top-level values by name, as the text that stands in the line.

    lines: a table expression with the columns line and source_file; columns: names of the values; nested: of
    those, the ones whose value may well be an object or an array.
    Returns a query with the columns, is_malformed, line and source_file. An object or an array is its JSON text. -#}
{% macro parse_json_lines(lines, columns, nested) -%}
    {{ return(adapter.dispatch('parse_json_lines')(lines, columns, nested)) }}
{%- endmacro %}

{% macro default__parse_json_lines(lines, columns, nested) -%}
    {{ return(unsupported('parse_json_lines')) }}
{%- endmacro %}

{% macro duckdb__parse_json_lines(lines, columns, nested) -%}
    select
        {%- for column in columns %}
        {%- if column in nested %}
        case
            when left(fields.{{ column }}, 1) in ('{', '[') and readable <> line then json_extract_string(line, '$.{{ column }}')
            else fields.{{ column }}
        end as {{ column }},
        {%- else %}
        fields.{{ column }},
        {%- endif %}
        {%- endfor %}
        fields is null as is_malformed,
        line,
        source_file
    from (
        select
            line,
            source_file,
            readable,
            from_json(
                readable,
                '{ {%- for column in columns %}"{{ column }}":"VARCHAR"{{ ',' if not loop.last }}{% endfor -%} }'
            ) as fields
        from (select line, source_file, {{ duckdb_readable('line') }} as readable from {{ lines }})
    )
{%- endmacro %}

{#- A JSON line as DuckDB can read it, NULL where it is no JSON object. DuckDB reads a little more than JSON (a comma
    before a closing bracket, NaN, Infinity) and rewrites numbers that a double holds (1e2 as 100.0), which are put in
    quotes here. Nearly every line is a flat object of plain values, as one pattern tells; others are looked at closely,
    in the end without their strings. -#}
{% macro duckdb_readable(line) -%}
    {%- set value -%}
        ("[^"\\\x00-\x1f]*"|-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?|null|true|false)
    {%- endset -%}
    {%- set pair = '"[A-Za-z0-9_]+": ?' ~ value -%}
    {%- set without_strings -%}
        regexp_replace({{ line }}, '"(\\.|[^"\\])*"', '""', 'g')
    {%- endset -%}
    case
        when regexp_full_match({{ line }}, '[{]{{ pair }}(, ?{{ pair }})*[}]') then {{ line }}
        when not starts_with(ltrim({{ line }}, e' \t\r'), '{') or not json_valid({{ line }}) then null
        when not regexp_matches({{ line }}, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|0\.0000|,\s*[}\]]|nan|inf') then {{ line }}
        when regexp_matches({{ without_strings }}, '(?i),\s*[}\]]|nan|inf') then null
        when regexp_matches({{ without_strings }}, '(?i)[0-9]e|[0-9.]{16}|0\.0000') then {{ duckdb_quote_numbers(line) }}
        else {{ line }}
    end
{%- endmacro %}

{#- A JSON line with its numbers in quotes. Strings are matched along with numbers and set apart from them by two
    marks, control characters that no JSON line holds. -#}
{% macro duckdb_quote_numbers(line) -%}
    translate(
        replace(
            regexp_replace({{ line }}, '("(?:\\.|[^"\\])*")|(-?[0-9][-+0-9.eE]*)', e'\\1\x01\\2\x02', 'g'),
            e'\x01\x02', ''
        ),
        e'\x01\x02', '""'
    )
{%- endmacro %}
