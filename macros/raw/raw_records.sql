{#- The raw records of a data set that this model has not taken yet, from any format.

    Columns: each declared column as text (NULL where the file lacks it or, in CSV, has nothing);
    is_malformed: the record can't be read at all; raw_record: the text it arrived as;
    file_id, source_file, arrived, source: the file it came from.
    In a unit test the given rows take the place of what `read_lines` or `read_rows` would return. -#}
{% macro raw_records(raw_table) -%}
    {%- set ledger = source('ledger', 'raw_files') -%}
    {%- if execute -%}
    {%- set table = declared_table(raw_table.identifier | replace('__dbt__cte__', '')) -%}
    {%- set columns = table.columns.values() | map(attribute='name') | list -%}
    {%- set files = [] if raw_table.is_cte else files_to_take(table.name) -%}
    {%- if table.external.file_format == 'json' %}
    select
        {% for column in columns -%}
            records.{{ column }},
        {% endfor -%}
        records.is_malformed,
        records.line as raw_record,
        raw_files.file_id,
        raw_files.file as source_file,
        raw_files.arrived,
        raw_files.source
    from (
        {{ parse_json_lines(raw_table if raw_table.is_cte else read_lines(files), columns) }}
    ) as records
    {%- else %}
    select
        {% for column in columns -%}
            nullif(records.{{ column }}, '') as {{ column }},
        {% endfor -%}
        false as is_malformed,
        {{ record_as_json('records', columns) }} as raw_record,
        raw_files.file_id,
        raw_files.file as source_file,
        raw_files.arrived,
        raw_files.source
    from {{ raw_table if raw_table.is_cte else read_rows(table, files) }} as records
    {%- endif %}
    inner join {{ ledger }} as raw_files on records.source_file = raw_files.file
    {%- else %}
    select * from {{ raw_table }}
    {%- endif -%}
{%- endmacro %}
