{#- Whether a row of `{dataset}_parsed` came with a file that this model has not taken yet. -#}
{% macro in_new_file(dataset) -%}
    {%- if execute and is_incremental() -%}
        {{ 'file_id > ' ~ progress_of(this.identifier, dataset) if has_new_files(dataset) else 'false' }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Whether there are such rows: where a data set brought nothing, nothing is searched for. -#}
{% macro has_new_files(dataset) -%}
    {{ return(execute and highest_file(dataset) > progress_of(this.identifier, dataset)) }}
{%- endmacro %}

{#- Whether a row of `{dataset}_parsed` came with a file that another model has taken. -#}
{% macro is_taken_by(dataset, model_name) -%}
    {{ return('file_id <= ' ~ progress_of(model_name, dataset) if execute else 'true') }}
{%- endmacro %}
