{#- A record's values as one JSON object, the text that the quarantine keeps of a CSV or Parquet record. -#}
{% macro record_as_json(relation, columns) -%}
    {{ return(adapter.dispatch('record_as_json')(relation, columns)) }}
{%- endmacro %}

{% macro default__record_as_json(relation, columns) -%}
    {{ return(unsupported('record_as_json')) }}
{%- endmacro %}

{% macro duckdb__record_as_json(relation, columns) -%}
    cast(json_object({% for column in columns %}'{{ column }}', {{ relation }}.{{ column }}{{ ', ' if not loop.last }}{% endfor %}) as varchar)
{%- endmacro %}
