{#- The declaration of a raw table: the node of `source('raw_db', name)`. -#}
{% macro declared_table(name) -%}
    {%- set nodes = graph.sources.values()
        | selectattr('source_name', 'equalto', 'raw_db')
        | selectattr('name', 'equalto', name)
        | list -%}
    {%- if not nodes -%}
        {{ exceptions.raise_compiler_error("No source YAML under models/raw/ declares the table " ~ name) }}
    {%- endif -%}
    {{ return(nodes[0]) }}
{%- endmacro %}
