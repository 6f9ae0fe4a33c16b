{#- The sound files of a data set with a row in them, as literals for the engine: a subquery would prune no files.

    taken_by: a table with file_id whose files are left out, of any age; none for every file. -#}
{% macro sound_files(dataset, taken_by=none) -%}
    {%- set files = run_query(
        "select string_agg(raw_files.file, chr(10) order by raw_files.file_id) from "
        ~ source('ledger', 'raw_files') ~ " as raw_files"
        ~ " where raw_files.dataset = '" ~ dataset ~ "' and raw_files.state = 'sound' and raw_files.rows > 0"
        ~ (" and raw_files.file_id not in (select distinct file_id from " ~ taken_by ~ ")" if taken_by else "")
    ).columns[0].values()[0] -%}
    {{ return(files.split('\n') if files else []) }}
{%- endmacro %}
