{#- The rows of a query, as lists, that gives the same from its first use to the end of the run; it is asked once. -#}
{% macro once_a_run(sql) -%}
    {%- set answers = run_notes('answers') -%}
    {%- if sql not in answers -%}
        {%- do answers.update({sql: run_query(sql).rows | map('list') | list}) -%}
    {%- endif -%}
    {{ return(answers[sql]) }}
{%- endmacro %}

{#- A mapping of this name that all models of a run share: dbt's graph is the one object that lives as long. -#}
{% macro run_notes(name) -%}
    {{ return(graph.setdefault('datalake_' ~ name, {})) }}
{%- endmacro %}
