{#- What the source YAML declares of a raw table. A unit test, which sees no graph, overrides these two. -#}

{#- json, csv or parquet. -#}
{% macro raw_format(dataset) -%}
    {{ return(raw_declaration(dataset).external.file_format) }}
{%- endmacro %}

{#- The names of the columns that the files hold. -#}
{% macro raw_columns(dataset) -%}
    {{ return(raw_declaration(dataset).columns.values() | map(attribute='name') | list) }}
{%- endmacro %}

{% macro raw_declaration(dataset) -%}
    {%- set nodes = graph.sources.values()
        | selectattr('source_name', 'equalto', 'raw_db')
        | selectattr('name', 'equalto', dataset)
        | list -%}
    {%- if not nodes -%}
        {{ exceptions.raise_compiler_error("No source YAML under models/raw/ declares the table " ~ dataset) }}
    {%- endif -%}
    {{ return(nodes[0]) }}
{%- endmacro %}
