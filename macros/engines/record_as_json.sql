{#- A record of `read_rows`, with these columns, as one value, which costs nothing until `record_as_json` makes a text of it. -#}
{% macro pack_record(records, columns) -%}
    {{ return(adapter.dispatch('pack_record')(records, columns)) }}
{%- endmacro %}

{% macro default__pack_record(records, columns) -%}
    {{ return(unsupported('pack_record')) }}
{%- endmacro %}

{% macro duckdb__pack_record(records, columns) -%}
    {{ records }}
{%- endmacro %}

{% macro athena__pack_record(records, columns) -%}
    cast(
            row({{ records }}.{{ columns | join(', ' ~ records ~ '.') }}) as row({{ columns | join(' varchar, ') }} varchar)
        )
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

{% macro athena__record_as_json(record) -%}
    {{ athena_json_text('json_format(cast(' ~ record ~ ' as json))') }}
{%- endmacro %}
