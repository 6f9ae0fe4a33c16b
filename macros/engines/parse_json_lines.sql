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

{#- DuckDB reads a little more than JSON (a comma before a closing bracket, NaN, Infinity) and rewrites numbers
    that a double holds (1e2 as 100.0). Lines that may hold such a thing are few and found by one pattern; of
    those the skeleton, the line without its strings, tells for sure. Where a number would be rewritten, all
    numbers of the line are put in quotes before it is read. -#}
{% macro duckdb__parse_json_lines(lines, columns, nested) -%}
    select
        {%- for column in columns %}
        {%- if column in nested %}
        case
            when has_rewritten_number and left(fields.{{ column }}, 1) in ('{', '[')
                then json_extract_string(line, '$.{{ column }}')
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
            has_rewritten_number,
            case
                when
                    (starts_with(line, '{') or starts_with(ltrim(line, e' \t\r'), '{'))
                    and json_valid(line)
                    and not coalesce(is_more_than_json, false)
                    then from_json(
                        case when has_rewritten_number then {{ duckdb_quote_numbers('line') }} else line end,
                        '{ {%- for column in columns %}"{{ column }}":"VARCHAR"{{ ',' if not loop.last }}{% endfor -%} }'
                    )
            end as fields
        from (
            select
                line,
                source_file,
                regexp_matches(skeleton, '(?i),\s*[}\]]|nan|inf') as is_more_than_json,
                coalesce(regexp_matches(skeleton, '(?i)[0-9]e|[0-9.]{16}|0\.0000'), false) as has_rewritten_number
            from (
                select
                    line,
                    source_file,
                    case
                        when regexp_matches(line, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|0\.0000|,\s*[}\]]|nan|inf')
                            then regexp_replace(line, '"(\\.|[^"\\])*"', '""', 'g')
                    end as skeleton
                from {{ lines }}
            )
        )
    )
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
