{#- The quality rules declared on a model, as its `quality_rule` tests, in the order of their names. A threshold
    that is a text names a var. -#}
{% macro quality_rules(model_name) -%}
    {%- set rules = [] -%}
    {%- for node in graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'test')
        | selectattr('test_metadata', 'defined')
        | selectattr('attached_node', 'equalto', 'model.datalake.' ~ model_name)
        | sort(attribute='name')
        if node.test_metadata.name == 'quality_rule' -%}
        {%- set rule = node.test_metadata.kwargs -%}
        {%- do rules.append(dict(
            rule,
            description=node.description,
            comparison=rule.comparison or '>=',
            threshold=var(rule.threshold) if rule.threshold is string else rule.threshold
        )) -%}
    {%- endfor -%}
    {{ return(rules) }}
{%- endmacro %}
