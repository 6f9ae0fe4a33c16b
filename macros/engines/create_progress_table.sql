{#- How far each incremental model has taken each data set: the highest number of a raw file. Written after the
    model's own rows, so that a killed run is done again, never forgotten. -#}
{% macro create_progress_table() -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {{ return(adapter.dispatch('create_progress_table')(progress_table())) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__create_progress_table(relation) -%}
    {{ return(unsupported('create_progress_table')) }}
{%- endmacro %}

{% macro duckdb__create_progress_table(relation) -%}
    create schema if not exists {{ relation.schema }};
    create table if not exists {{ relation }} (model varchar, dataset varchar, file_id bigint)
{%- endmacro %}

{#- Its folder is one of its own each time it is made: a table that was dropped leaves its files behind. -#}
{% macro athena__create_progress_table(relation) -%}
    {%- if adapter.get_relation(relation.database, relation.schema, relation.identifier) is none -%}
        {%- do run_query('create schema if not exists ' ~ relation.without_identifier().render_hive()) -%}
        {%- set location = adapter.generate_s3_location(relation, target.s3_data_dir, 'schema_table_unique') %}
    create table {{ relation.render_hive() }} (model string, dataset string, file_id bigint)
    location '{{ location }}/'
    tblproperties ('table_type' = 'ICEBERG', 'format' = 'parquet', 'write_compression' = 'snappy')
    {%- endif -%}
{%- endmacro %}

{% macro progress_table() -%}
    {{ return(api.Relation.create(database=target.database, schema=generate_schema_name('curated_db', none), identifier='model_progress')) }}
{%- endmacro %}
