{#- Whether a row of `{dataset}_parsed` came with a file that some incremental model which reads this one has not taken
    yet. One that isn't there yet, or is marked for a replay, is made from all rows and needs none of these. -#}
{% macro not_taken_by_all(dataset) -%}
    {%- if not execute -%}{{ return('false') }}{%- endif -%}
    {%- set readers = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and model.unique_id in node.depends_on.nodes -%}
        {%- if node.config.materialized == 'incremental' and adapter.get_relation(node.database, node.schema, node.alias) is not none -%}
            {%- do readers.append(node.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set taken = [] -%}
    {%- for reader in readers if not is_marked(reader, dataset) -%}
        {%- do taken.append(progress_of(reader, dataset)) -%}
    {%- endfor -%}
    {{ return('file_id > ' ~ taken | min if taken else 'false') }}
{%- endmacro %}
