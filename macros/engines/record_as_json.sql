{#- A record of `read_rows` as one value, which costs nothing until `record_as_json` makes a text of it. -#}
{% macro pack_record(records) -%}
    {{ return(adapter.dispatch('pack_record')(records)) }}
{%- endmacro %}

{% macro default__pack_record(records) -%}
    {{ return(unsupported('pack_record')) }}
{%- endmacro %}

{% macro duckdb__pack_record(records) -%}
    {{ records }}
{%- endmacro %}

{#- A packed record as a JSON object, without its file: the text that the quarantine keeps of a CSV or Parquet record. -#}
{% macro record_as_json(record) -%}
    {{ return(adapter.dispatch('record_as_json')(record)) }}
{%- endmacro %}

{% macro default__record_as_json(record) -%}
    {{ return(unsupported('record_as_json')) }}
{%- endmacro %}

{% macro duckdb__record_as_json(record) -%}
    cast(json_merge_patch(to_json({{ record }}), '{"source_file": null}') as varchar)
{%- endmacro %}
