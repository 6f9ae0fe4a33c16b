{#- The timestamp from which the first version of a customer is valid. -#}
{% macro beginning_of_time() -%}
    cast('0001-01-01 00:00:00' as timestamp(6))
{%- endmacro %}

{#- A timestamp after every one that `to_utc` gives. -#}
{% macro end_of_time() -%}
    cast('9999-12-31 00:00:00' as timestamp(6))
{%- endmacro %}
