{#- The sound files of a data set with a row in them, as `read_lines` and `read_rows` take them.

    taken_by: a table with file_id whose files are left out, of any age; none for every file. -#}
{% macro sound_files(dataset, taken_by=none) -%}
    {{ return(adapter.dispatch('sound_files')(
        dataset,
        "raw_files.dataset = '" ~ dataset ~ "' and raw_files.state = 'sound' and raw_files.rows > 0"
        ~ (" and raw_files.file_id not in (select taken.file_id from " ~ taken_by ~ " as taken)" if taken_by else "")
    )) }}
{%- endmacro %}

{% macro default__sound_files(dataset, condition) -%}
    {{ return(unsupported('sound_files')) }}
{%- endmacro %}

{#- Their names: a subquery would prune no files. -#}
{% macro duckdb__sound_files(dataset, condition) -%}
    {%- set files = run_query(
        "select string_agg(raw_files.file, chr(10) order by raw_files.file_id) from "
        ~ source('ledger', 'raw_files') ~ " as raw_files where " ~ condition
    ).columns[0].values()[0] -%}
    {{ return(files.split('\n') if files else []) }}
{%- endmacro %}

{#- Their folders, by source, for the partitions of the raw table, and the condition that tells them apart from other files
    there. It names them; where they are too many for a query of 262,144 bytes, as only in a first load, it finds them in
    the ledger, which makes the engine open all files of those folders, and names broken ones there to keep them closed. -#}
{% macro athena__sound_files(dataset, condition) -%}
    {%- set ledger = source('ledger', 'raw_files') ~ " as raw_files" -%}
    {%- set new = "select raw_files.source, raw_files.arrived, raw_files.file from " ~ ledger ~ " where " ~ condition -%}
    {%- set files = run_query(new ~ " order by raw_files.file_id limit 1001").rows | map('list') | list -%}
    {%- if not files -%}{{ return([]) }}{%- endif -%}
    {%- set condition_on_path = '"$path" in (' ~ athena_paths(files | map('last')) ~ ')' -%}
    {%- if files | length > 1000 or condition_on_path | length > 100000 -%}
        {%- set files = run_query(
            "select source, arrived from (" ~ new ~ ") as new group by source, arrived order by source, arrived"
        ).rows | map('list') | list -%}
        {%- set broken = run_query(
            "select raw_files.file from " ~ ledger
            ~ " where raw_files.dataset = '" ~ dataset ~ "' and raw_files.state = 'broken'"
            ~ " and raw_files.arrived in (select new.arrived from (" ~ new ~ ") as new) order by raw_files.file_id"
        ).columns[0].values() | list -%}
        {%- set condition_on_path -%}
            "$path" in (select '{{ athena_lake_root() }}/' || raw_files.file from {{ ledger }} where {{ condition }})
            {%- if broken %}
            and "$path" not in ({{ athena_paths(broken) }})
            {%- endif %}
        {%- endset -%}
    {%- endif -%}
    {%- set folders = {} -%}
    {%- for file in files if file[1] not in folders.get(file[0], []) -%}
        {%- do folders.setdefault(file[0], []).append(file[1]) -%}
    {%- endfor -%}
    {{ return({'folders': folders, 'condition': condition_on_path}) }}
{%- endmacro %}

{#- The names of files as literals of the engine's `"$path"`. -#}
{% macro athena_paths(names) -%}
    {%- set root = athena_lake_root() ~ '/' -%}
    '{{ root }}{{ names | join('\n') | replace("'", "''") | replace('\n', "', '" ~ root) }}'
{%- endmacro %}
