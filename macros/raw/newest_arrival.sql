{#- When the newest file of a data set arrived, for `dbt source freshness`: the ledger's time of reading it. -#}
{% macro newest_arrival(dataset) -%}
    select max(checked_at) from {{ source('ledger', 'raw_files') }} where dataset = '{{ dataset }}'
{%- endmacro %}
