{#- Each line's top-level values by name, as the text that stands in the line.

    lines: a table expression with the columns line and source_file; columns: names of the values; nested: of
    those, the ones whose value may be an object or an array, kept as JSON text. Elsewhere such a value is NULL.
    Returns a query with the columns, is_malformed, line and source_file. -#}
{% macro parse_json_lines(lines, columns, nested) -%}
    {{ return(adapter.dispatch('parse_json_lines')(lines, columns, nested)) }}
{%- endmacro %}

{% macro default__parse_json_lines(lines, columns, nested) -%}
    {{ return(unsupported('parse_json_lines')) }}
{%- endmacro %}

{#- DuckDB reads a little more than JSON (a comma before a closing bracket, NaN, Infinity) and rewrites numbers
    that a double holds (1e2 as 100.0). Lines that may hold such a thing are few and found by one pattern; of
    those the skeleton, the line without its strings, tells for sure. -#}
{% macro duckdb__parse_json_lines(lines, columns, nested) -%}
    select
        {%- for column in columns %}
        case
            when is_malformed then null
            {%- if column not in nested %}
            when left(fields.{{ column }}, 1) in ('{', '[') and json_type(line, '$.{{ column }}') <> 'VARCHAR' then null
            {%- endif %}
            when has_rewritten_number and json_type(line, '$.{{ column }}') not in ('VARCHAR', 'BOOLEAN')
                then regexp_extract(line, '"{{ column }}"\s*:\s*([^,}\s]+)', 1)
            else fields.{{ column }}
        end as {{ column }},
        {%- endfor %}
        is_malformed,
        line,
        source_file
    from (
        select
            *,
            fields is null or left(ltrim(line, e' \t\r'), 1) <> '{'
                or (skeleton is not null and regexp_matches(skeleton, '(?i),\s*[}\]]|nan|inf')) as is_malformed,
            skeleton is not null and regexp_matches(skeleton, '(?i)[0-9]e|[0-9.]{16}') as has_rewritten_number
        from (
            select
                line,
                source_file,
                try(from_json(line, '{ {%- for column in columns %}"{{ column }}":"VARCHAR"{{ ',' if not loop.last }}{% endfor -%} }'))
                    as fields,
                case
                    when regexp_matches(line, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|,\s*[}\]]|nan|inf')
                        then regexp_replace(line, '"(\\.|[^"\\])*"', '""', 'g')
                end as skeleton
            from {{ lines }}
        )
    )
{%- endmacro %}
