{#- The smallest values, at most `number` of them, as a text with `separator`, an expression, between; NULL where there is
    none. -#}
{% macro smallest(value, number, separator="', '") -%}
    {{ return(adapter.dispatch('smallest')(value, number, separator)) }}
{%- endmacro %}

{% macro default__smallest(value, number, separator) -%}
    {{ return(unsupported('smallest')) }}
{%- endmacro %}

{% macro duckdb__smallest(value, number, separator) -%}
    array_to_string(min({{ value }}, {{ number }}), {{ separator }})
{%- endmacro %}

{% macro athena__smallest(value, number, separator) -%}
    array_join(min({{ value }}, {{ number }}), {{ separator }})
{%- endmacro %}
