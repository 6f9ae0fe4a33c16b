{#- The raw tables on Athena, made of the source YAML: for people a table of the declared columns, and for the models
    `{dataset}_lines`, whose one column is a line of a file as it arrived, but for Parquet. Both are partitioned by the
    folders, which are projected, so that a new folder needs no crawler. A run makes tables that are missing,
    `dbt run-operation create_raw_views` makes all anew, after a change of the YAML. -#}
{% macro athena__create_raw_views() -%}
    {%- set is_operation = flags.WHICH == 'run-operation' -%}
    {%- for table in graph.sources.values() if table.source_name == 'raw_db' -%}
        {%- set relation = api.Relation.create(database=target.database, schema=table.schema, identifier=table.name) -%}
        {%- set lines = athena_lines_table(relation) -%}
        {%- if loop.first -%}
            {%- do run_query('create schema if not exists ' ~ relation.without_identifier().render_hive()) -%}
        {%- endif -%}
        {%- do athena_create_raw_table(relation, athena_raw_table(table, relation), anew=is_operation) -%}
        {%- if table.external.file_format != 'parquet' -%}
            {%- do athena_create_raw_table(lines, athena_raw_lines_table(table, lines), anew=is_operation) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro athena_create_raw_table(relation, ddl, anew) -%}
    {%- if anew -%}
        {%- do run_query('drop table if exists ' ~ relation.render_hive()) -%}
    {%- endif -%}
    {%- if anew or adapter.get_relation(relation.database, relation.schema, relation.identifier) is none -%}
        {%- do run_query(ddl) -%}
    {%- endif -%}
{%- endmacro %}

{#- Where the lake is. -#}
{% macro athena_lake_root() -%}
    {{ return('s3://' ~ env_var('DATALAKE_BUCKET')) }}
{%- endmacro %}

{% macro athena_lines_table(relation) -%}
    {{ return(api.Relation.create(database=relation.database, schema=relation.schema, identifier=relation.identifier ~ '_lines')) }}
{%- endmacro %}

{% macro athena_raw_table(table, relation) -%}
create external table {{ relation.render_hive() }} (
    {%- for column in table.columns.values() %}
    `{{ column.name }}` {{ column.data_type }}{{ ',' if not loop.last }}
    {%- endfor %}
)
{{ athena_partitions(table) }}
{%- if table.external.file_format == 'json' %}
row format serde 'org.openx.data.jsonserde.JsonSerDe' with serdeproperties ('ignore.malformed.json' = 'true')
{%- elif table.external.file_format == 'csv' %}
row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
with serdeproperties ('separatorChar' = ',', 'quoteChar' = '"', 'escapeChar' = '\\')
{%- else %}
stored as parquet
{%- endif %}
location '{{ athena_lake_root() }}/{{ table.external.location }}'
{{ athena_projection(table) }}
{%- endmacro %}

{#- The expression takes a line whole, whatever characters are in it; a delimiter could be one of them. -#}
{% macro athena_raw_lines_table(table, relation) -%}
create external table {{ relation.render_hive() }} (
    `line` string
)
{{ athena_partitions(table) }}
row format serde 'org.apache.hadoop.hive.serde2.RegexSerDe' with serdeproperties ('input.regex' = '(?s)(.*)')
location '{{ athena_lake_root() }}/{{ table.external.location }}'
{{ athena_projection(table) }}
{%- endmacro %}

{% macro athena_partitions(table) -%}
partitioned by (
    {%- for partition in table.external.partitions %}
    `{{ partition.name }}` {{ partition.data_type }}{{ ',' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}

{#- One column for the whole folder of a day, so that a filter lists only the days it names. Who sends (`source`) can't
    be foreseen: a query must name it. -#}
{% macro athena_projection(table) -%}
tblproperties (
    'projection.enabled' = 'true',
    {%- for partition in table.external.partitions %}
    {%- if partition.name == 'arrived' %}
    'projection.arrived.type' = 'date',
    'projection.arrived.format' = '''year=''yyyy''/month=''MM''/day=''dd',
    'projection.arrived.range' = '{{ var("raw_days") }}',
    'projection.arrived.interval' = '1',
    'projection.arrived.interval.unit' = 'DAYS',
    {%- else %}
    'projection.{{ partition.name }}.type' = 'injected',
    {%- endif %}
    {%- endfor %}
    {%- if table.external.file_format == 'csv' %}
    'skip.header.line.count' = '1',
    {%- endif %}
    'storage.location.template' = '{{ athena_lake_root() }}/{{ table.external.location -}}
        {%- for partition in table.external.partitions -%}
            {{ '' if partition.name == 'arrived' else partition.name ~ '=' }}${{ '{' ~ partition.name ~ '}' }}/
        {%- endfor %}'
)
{%- endmacro %}
