{#- Whether a row of `{dataset}_parsed` came with a file that some incremental model which reads this one has not taken
    yet. A model that isn't there yet is made from all rows, so it needs none of these. -#}
{% macro not_taken_by_all(dataset) -%}
    {%- set readers = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and model.unique_id in node.depends_on.nodes -%}
            {%- if adapter.get_relation(node.database, node.schema, node.alias) is not none -%}
                {%- do readers.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if readers -%}
        {%- set taken = run_query(
            "select coalesce(min(file_id), 0) from (select model, max(file_id) as file_id from " ~ progress_table()
            ~ " where dataset = '" ~ dataset ~ "' and model in ('" ~ readers | join("', '") ~ "') group by model)"
            ~ " having count(*) = " ~ readers | length
        ).columns[0].values() -%}
        file_id > {{ taken[0] or 0 }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
