{#- A text of the grammar `[+-]?digits[.digits]` as decimal(10, 2), rounded half up; NULL where it is none or
    doesn't fit. -#}
{% macro to_decimal(text) -%}
    {{ return(adapter.dispatch('to_decimal')(text)) }}
{%- endmacro %}

{% macro default__to_decimal(text) -%}
    {{ return(unsupported('to_decimal')) }}
{%- endmacro %}

{% macro duckdb__to_decimal(text) -%}
    case when regexp_full_match({{ text }}, '[+-]?[0-9]+(\.[0-9]+)?') then try_cast({{ text }} as decimal(10, 2)) end
{%- endmacro %}

{% macro athena__to_decimal(text) -%}
    case when {{ matches_pattern(text, '[+-]?[0-9]+(\.[0-9]+)?') }} then try_cast({{ text }} as decimal(10, 2)) end
{%- endmacro %}
