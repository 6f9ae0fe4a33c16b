{#- A text of the grammar `[+-]?digits[.0...]` as a 32-bit integer; NULL where it is none or doesn't fit. -#}
{% macro to_integer(text) -%}
    {{ return(adapter.dispatch('to_integer')(text)) }}
{%- endmacro %}

{% macro default__to_integer(text) -%}
    {{ return(unsupported('to_integer')) }}
{%- endmacro %}

{% macro duckdb__to_integer(text) -%}
    case when regexp_full_match({{ text }}, '[+-]?[0-9]+(\.0+)?') then try_cast({{ text }} as integer) end
{%- endmacro %}

{% macro athena__to_integer(text) -%}
    case
        when {{ matches_pattern(text, '[+-]?[0-9]+(\.0+)?') }} then try_cast(split_part({{ text }}, '.', 1) as integer)
    end
{%- endmacro %}
