{#- Each line's top-level values by name, as the text that stands in the line.

    lines: a table expression with the columns line and source_file; columns: names of the values.
    Returns a query with the columns, is_malformed, line and source_file. An object or an array is its JSON text without
    blanks. A number is as it is written, but for the zeros at the end of a fraction and the sign of -0. -#}
{% macro parse_json_lines(lines, columns) -%}
    {{ return(adapter.dispatch('parse_json_lines')(lines, columns)) }}
{%- endmacro %}

{% macro default__parse_json_lines(lines, columns) -%}
    {{ return(unsupported('parse_json_lines')) }}
{%- endmacro %}

{#- DuckDB reads a little more than JSON (a comma before a closing bracket, NaN, Infinity) and rewrites numbers that a
    double holds (1e2 as 100.0). Nearly every line is a flat object of plain values, as one pattern tells; others are
    looked at closely, in the end without their strings, and marked where a number would be rewritten. -#}
{% macro duckdb__parse_json_lines(lines, columns) -%}
    {%- set value -%}
        ("[^"\\\x00-\x1f]*"|-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?|null|true|false)
    {%- endset -%}
    {%- set pair = '"[A-Za-z0-9_]+": ?' ~ value -%}
    {%- set without_strings -%}
        regexp_replace(line, '{{ json_string() }}', '""', 'g')
    {%- endset -%}
    select
        {%- for column in columns %}
        fields.{{ column }},
        {%- endfor %}
        fields is null as is_malformed,
        line,
        source_file
    from (
        select
            line,
            source_file,
            case kind
                when 'plain' then from_json(
                    line,
                    '{ {%- for column in columns %}"{{ column }}":"VARCHAR"{{ ',' if not loop.last }}{% endfor -%} }'
                )
                when 'marked' then cast(
                    row(
                        {%- for column in columns %}
                        {{ duckdb_without_marks("json_extract_string(marked, '$.s" ~ column ~ "')") }}{{ ',' if not loop.last }}
                        {%- endfor %}
                    ) as row({{ columns | join(' varchar, ') }} varchar)
                )
            end as fields
        from (
            select
                line,
                source_file,
                kind,
                case kind when 'marked' then {{ duckdb_with_marks('line') }} end as marked
            from (
                select
                    line,
                    source_file,
                    case
                        when regexp_full_match(line, '[{]{{ pair }}(, ?{{ pair }})*[}]') then 'plain'
                        when not starts_with(ltrim(line, e' \t\r'), '{') or not json_valid(line) then null
                        when not regexp_matches(line, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|0\.0000|,\s*[}\]]|nan|inf') then 'plain'
                        when regexp_matches({{ without_strings }}, '(?i),\s*[}\]]|nan|inf') then null
                        when regexp_matches({{ without_strings }}, '(?i)[0-9]e|[0-9.]{16}|0\.0000') then 'marked'
                        else 'plain'
                    end as kind
                from {{ lines }}
            )
        )
    )
{%- endmacro %}

{#- A JSON line in which every string, names too, begins with `s`, and every number is a string that begins with `n`.
    Strings are matched along with numbers and set apart from them by control characters that no JSON line holds. -#}
{% macro duckdb_with_marks(line) -%}
    {%- set strings = "regexp_replace(" ~ line ~ ", '" ~ json_string() ~ "', '\"s\\1\"', 'g')" -%}
    {%- set plus_zero = "regexp_replace(" ~ strings ~ ", '(" ~ json_string() ~ ")|-(0[\\s,\\]}])', '\\1\\3', 'g')" -%}
    {%- set short = "regexp_replace(" ~ plus_zero
        ~ ", '(" ~ json_string() ~ ")|(-?[0-9]+\\.[0-9](?:[0-9]*[1-9])?)0+([\\s,\\]}])', '\\1\\3\\4', 'g')" -%}
    replace(
        replace(
            replace(
                regexp_replace({{ short }}, '({{ json_string() }})|(-?[0-9][-+0-9.eE]*)', e'\\1\x01\\3\x02', 'g'),
                e'\x01\x02', ''
            ),
            e'\x01', '"n'
        ),
        e'\x02', '"'
    )
{%- endmacro %}

{#- A value of a line with marks as it was before. -#}
{% macro duckdb_without_marks(value) -%}
    case
        when left({{ value }}, 1) in ('{', '[')
            then regexp_replace(
                regexp_replace({{ value }}, '("s(?:\\.|[^"\\])*")|"n([^"]*)"', '\1\2', 'g'), '"s((?:\\.|[^"\\])*)"', '"\1"', 'g'
            )
        when left({{ value }}, 1) in ('s', 'n') then substr({{ value }}, 2)
        else {{ value }}
    end
{%- endmacro %}

{#- Trino's json_extract rewrites numbers too; json_extract_scalar hands values on as they are written, but for an object
    or an array gives nothing. So lines are marked for those only. Half of a surrogate pair, which Trino
    takes, is no character. -#}
{% macro athena__parse_json_lines(lines, columns) -%}
    select
        {%- for column in columns %}
        {%- set scalar = "json_extract_scalar(readable, '$." ~ column ~ "')" %}
        {%- set json = "json_format(json_extract(readable, '$." ~ column ~ "'))" %}
        case
            when regexp_like({{ scalar }}, '\A(-0|-?[0-9]+\.[0-9]+0)\z') and not starts_with({{ json }}, '"')
                then {{ athena_number(scalar) }}
            when {{ scalar }} is not null then {{ scalar }}
            when {{ json }} <> 'null' then {{ athena_nested_value('readable', column) }}
        end as {{ column }},
        {%- endfor %}
        readable is null as is_malformed,
        line,
        source_file
    from (
        select
            line,
            source_file,
            case when {{ athena_is_object('line') }} then line end as readable
        from {{ lines }}
    ) as read_lines
{%- endmacro %}

{% macro athena_is_object(line) -%}
    regexp_like({{ line }}, '\A[ \t\r]*[{]')
                and try(json_parse({{ line }})) is not null
                and (
                    strpos(lower({{ line }}), '\ud') = 0
                    or not regexp_like(
                        regexp_replace({{ line }}, '\\([^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'),
                        '\\u[dD][89a-fA-F]'
                    )
                )
{%- endmacro %}

{#- An object or an array of a line as JSON text, found by json_extract while every string, names too, begins
    with `s`, and every number is a string that begins with `n`. -#}
{% macro athena_nested_value(line, column) -%}
    {{ athena_json_text(
        "regexp_replace("
        ~ "json_format(json_extract(regexp_replace(" ~ line ~ ", '" ~ json_string() ~ "|(-?[0-9][-+0-9.eE]*)', "
        ~ "token -> case when token[2] is null then '\"s' || token[1] || '\"' else '\"n' || " ~ athena_number('token[2]')
        ~ " || '\"' end), '$.s" ~ column ~ "')), "
        ~ "'\"s((?:\\\\.|[^\"\\\\])*)\"|\"n([^\"]*)\"', "
        ~ "token -> case when token[2] is null then '\"' || token[1] || '\"' else token[2] end)"
    ) }}
{%- endmacro %}

{% macro athena_number(number) -%}
    case {{ number }} when '-0' then '0' else regexp_replace({{ number }}, '(\.[0-9]+?)0+\z', '$1') end
{%- endmacro %}

{#- The text of JSON with the characters themselves that Trino writes as two escapes, such as emojis. -#}
{% macro athena_json_text(text) -%}
    regexp_replace(
        {{ text }},
        '(\\[^u]|\\u[^D]...)|\\u(D...)\\u(D...)',
        token -> case
            when token[1] is not null then token[1]
            else chr(65536 + (from_base(token[2], 16) - 55296) * 1024 + from_base(token[3], 16) - 56320)
        end
    )
{%- endmacro %}

{#- A string of JSON, with what stands between its quotes as a group. -#}
{% macro json_string() -%}
    "((?:\\.|[^"\\])*)"
{%- endmacro %}
