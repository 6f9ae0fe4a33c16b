{#- How far each incremental model has taken each data set: the highest number of a raw file. Written after the
    model's own rows, so that a killed run is done again, never forgotten. -#}
{% macro create_progress_table() -%}
    {%- if execute and flags.WHICH in ('run', 'build') %}
    create schema if not exists {{ progress_table().schema }};
    create table if not exists {{ progress_table() }} (model varchar, dataset varchar, file_id bigint)
    {%- endif -%}
{%- endmacro %}

{% macro progress_table() -%}
    {{ return(api.Relation.create(database=target.database, schema=generate_schema_name('curated_db', none), identifier='model_progress')) }}
{%- endmacro %}
