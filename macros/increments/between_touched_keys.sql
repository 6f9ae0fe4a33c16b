{#- Whether a key lies between the least and the greatest of the rows of a relation that hold to a condition, as
    literals: where keys grow with time, an engine leaves out what is older. -#}
{% macro between_touched_keys(key, relation, condition) -%}
    {%- if not execute or adapter.get_relation(relation.database, relation.schema, relation.identifier) is none -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set first, last = run_query(
        'select min(' ~ key ~ '), max(' ~ key ~ ') from ' ~ relation ~ ' where ' ~ condition
    ).rows[0].values() -%}
    {%- if first is none -%}{{ return('false') }}{%- endif -%}
    {{ return(key ~ ' between ' ~ text_literal(first) ~ ' and ' ~ text_literal(last)) }}
{%- endmacro %}
