{#- The dates of all versions of the orders that new files brought, as literals for an `in (...)`: Athena leaves out
    partitions by nothing else. Too many for a query are asked for in it. -#}
{% macro touched_dates() -%}
    {%- if not execute -%}{{ return('null') }}{%- endif -%}
    {%- set dates -%}
        select distinct order_date from {{ ref('touched_orders') }}
    {%- endset -%}
    {%- set found = run_query(dates ~ ' order by order_date limit 2001').columns[0].values() -%}
    {%- if found | length > 2000 -%}{{ return(dates) }}{%- endif -%}
    {{ return("date '" ~ found | join("', date '") ~ "'" if found else 'null') }}
{%- endmacro %}
