{#- The dates of all versions of the orders that new files brought, as literals for an `in (...)`: Athena leaves out
    partitions by nothing else. Too many for a query are asked for in it. -#}
{% macro touched_dates() -%}
    {%- if not execute -%}{{ return('null') }}{%- endif -%}
    {%- set dates -%}
        select distinct order_date from {{ ref('touched_orders') }} where reasons is null
    {%- endset -%}
    {%- set found = once_a_run(dates ~ ' order by order_date limit 2001') | map('first') | list -%}
    {%- if found | length > 2000 -%}{{ return(dates) }}{%- endif -%}
    {{ return("date '" ~ found | join("', date '") ~ "'" if found else 'null') }}
{%- endmacro %}
