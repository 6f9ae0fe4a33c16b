{#- The first day of a date's month. -#}
{% macro month_of(date) -%}
    cast({{ dbt.date_trunc('month', date) }} as date)
{%- endmacro %}

{#- In an increment, whether a date lies in a month that `touched_dates` has a date of, by literals as there; else true. -#}
{% macro in_touched_months(column) -%}
    {%- if not (execute and is_incremental()) -%}{{ return('true') }}{%- endif -%}
    {%- set months = once_a_run(
        'select distinct extract(year from order_date) * 12 + extract(month from order_date) - 1 as number_of_month from '
        ~ ref('touched_orders') ~ ' where reasons is null order by number_of_month'
    ) | map('first') | list -%}
    {%- if not months -%}{{ return('false') }}{%- endif -%}
    ({% for month in months -%}
        ({{ column }} >= {{ first_of_month(month | int) }} and {{ column }} < {{ first_of_month(month | int + 1) }})
        {{- ' or ' if not loop.last }}
    {%- endfor %})
{%- endmacro %}

{% macro first_of_month(months_since_year_0) -%}
    {{ return("date '%04d-%02d-01'" % (months_since_year_0 // 12, months_since_year_0 % 12 + 1)) }}
{%- endmacro %}
