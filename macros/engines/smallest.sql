{#- The smallest values, at most `number` of them, as a text with commas between; NULL where there is none. -#}
{% macro smallest(value, number) -%}
    {{ return(adapter.dispatch('smallest')(value, number)) }}
{%- endmacro %}

{% macro default__smallest(value, number) -%}
    {{ return(unsupported('smallest')) }}
{%- endmacro %}

{% macro duckdb__smallest(value, number) -%}
    nullif(array_to_string(min({{ value }}, {{ number }}), ', '), '')
{%- endmacro %}

{% macro athena__smallest(value, number) -%}
    nullif(array_join(min({{ value }}, {{ number }}), ', '), '')
{%- endmacro %}
