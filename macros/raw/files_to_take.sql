{#- The sound files of a data set that this model has not taken yet, of any age, as literals for the engine:
    a subquery would prune no files. -#}
{% macro files_to_take(dataset) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set files = run_query(
        "select string_agg(raw_files.file, chr(10) order by raw_files.file_id) from " ~ source('ledger', 'raw_files') ~ " as raw_files"
        ~ " where raw_files.dataset = '" ~ dataset ~ "' and raw_files.state = 'sound' and raw_files.rows > 0"
        ~ (" and raw_files.file_id not in (select file_id from " ~ this ~ ")" if is_incremental() else "")
    ).columns[0].values()[0] -%}
    {{ return(files.split('\n') if files else []) }}
{%- endmacro %}
