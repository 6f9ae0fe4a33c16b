{#- Whether a row of `{dataset}_parsed` came with a file that this model has not taken yet. -#}
{% macro in_new_file(dataset) -%}
    {%- if execute and is_incremental() -%}
        file_id > {{ progress_of(this.identifier, dataset) }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Whether a row of `{dataset}_parsed` came with a file that another model has taken. -#}
{% macro is_taken_by(dataset, model_name) -%}
    {{ return('file_id <= ' ~ progress_of(model_name, dataset) if execute else 'true') }}
{%- endmacro %}
