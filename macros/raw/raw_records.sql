{#- The raw records of a data set that this model has not taken yet, from any format.

    Columns: each declared column as text (NULL where the file lacks it or, in CSV, has nothing);
    is_malformed: the record can't be read at all; raw_record: what `raw_text` makes the text of that it arrived as;
    file_id, source_file, arrived, source: the file it came from.
    In a unit test the given rows take the place of what `read_lines` or `read_rows` returns. -#}
{% macro raw_records(dataset) -%}
    {%- set raw_table = source('raw_db', dataset) -%}
    {%- set ledger = source('ledger', 'raw_files') -%}
    {%- if not execute -%}
    select * from {{ raw_table }}
    {%- else -%}
    {%- set columns = raw_columns(dataset) -%}
    {%- set is_json = raw_format(dataset) == 'json' -%}
    {%- set is_drawn = flags.WHICH == 'generate' -%}
    {%- if is_drawn -%}
        {#- The lineage page follows the columns of the raw table, which a list of files would hide. -#}
        {%- set records -%}
            (select *, false as is_malformed, null as line from {{ raw_table }})
        {%- endset -%}
    {%- elif raw_table.is_cte -%}
        {%- set records = raw_table if is_json else '(select ' ~ columns | join(', ') ~ ', source_file from ' ~ raw_table ~ ')' -%}
    {%- else -%}
        {%- set files = sound_files(dataset, taken_by=this if is_incremental() else none) -%}
        {%- set records = read_lines(dataset, files) if is_json else read_rows(dataset, raw_format(dataset), columns, files) -%}
    {%- endif -%}
    select
        {% for column in columns -%}
            {{ 'records.' ~ column if is_json else "nullif(records." ~ column ~ ", '') as " ~ column }},
        {% endfor -%}
        {{ 'records.is_malformed' if is_json else 'false' }} as is_malformed,
        {{ 'records.line' if is_json else pack_record('records', columns) }} as raw_record,
        raw_files.file_id,
        raw_files.file as source_file,
        raw_files.arrived,
        raw_files.source
    from {% if is_json and not is_drawn %}({{ parse_json_lines(records, columns) }}){% else %}{{ records }}{% endif %} as records
    inner join {{ ledger }} as raw_files on records.source_file = raw_files.file
    {%- endif -%}
{%- endmacro %}

{#- The text that a row of `raw_records` arrived as. It is dear for CSV and Parquet: ask for it of broken rows only. -#}
{% macro raw_text(dataset) -%}
    {{ record_as_json('raw_record') if execute and raw_format(dataset) != 'json' else 'raw_record' }}
{%- endmacro %}
