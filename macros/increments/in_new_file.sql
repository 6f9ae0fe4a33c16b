{#- Whether a row of `{dataset}_parsed` came with a file that this model has not taken yet. -#}
{% macro in_new_file(dataset) -%}
    {%- if execute and is_incremental() -%}
        {%- set taken = run_query(
            "select coalesce(max(file_id), 0) from " ~ progress_table()
            ~ " where model = '" ~ this.identifier ~ "' and dataset = '" ~ dataset ~ "'"
        ) -%}
        file_id > {{ taken.columns[0].values()[0] }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
