{#- The key of a day in dim_date, yyyymmdd as an integer. -#}
{% macro date_key(date) -%}
    cast(
        extract(year from {{ date }}) * 10000 + extract(month from {{ date }}) * 100 + extract(day from {{ date }}) as integer
    )
{%- endmacro %}

{#- The key of the unknown date: of a day that the calendar does not hold. -#}
{% macro unknown_date_key() -%}
    0
{%- endmacro %}
