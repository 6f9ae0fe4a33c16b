{#- What the source YAML declares of a raw table. A unit test, which sees no graph, overrides these two. -#}

{#- json, csv or parquet. -#}
{% macro raw_format(dataset) -%}
    {{ return(raw_declaration(dataset).external.file_format) }}
{%- endmacro %}

{#- The names of the columns that the files hold. -#}
{% macro raw_columns(dataset) -%}
    {{ return(raw_declaration(dataset).columns.values() | map(attribute='name') | list) }}
{%- endmacro %}

{#- The names of those whose value may be an object or an array, kept as JSON text; none in a unit test. -#}
{% macro raw_nested_columns(dataset) -%}
    {%- if graph.sources is not defined -%}{{ return([]) }}{%- endif -%}
    {%- set names = [] -%}
    {%- for column in raw_declaration(dataset).columns.values() if column.config.meta.nested -%}
        {%- do names.append(column.name) -%}
    {%- endfor -%}
    {{ return(names) }}
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
