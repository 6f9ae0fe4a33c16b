{#- The day of the week of a date, 1 for Monday to 7 for Sunday. -#}
{% macro day_of_week(date) -%}
    {{ return(adapter.dispatch('day_of_week')(date)) }}
{%- endmacro %}

{% macro default__day_of_week(date) -%}
    {{ return(unsupported('day_of_week')) }}
{%- endmacro %}

{% macro duckdb__day_of_week(date) -%}
    isodow({{ date }})
{%- endmacro %}

{% macro athena__day_of_week(date) -%}
    day_of_week({{ date }})
{%- endmacro %}
