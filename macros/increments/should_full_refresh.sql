{#- In place of dbt's own, which the incremental materialization and `is_incremental()` ask. -#}
{% macro should_full_refresh() -%}
    {%- set configured = config.get('full_refresh') -%}
    {{ return(is_made_anew() if configured is none else configured) }}
{%- endmacro %}

{#- Whether this model's rows are made from all of history: on request, for the lineage page, which shows how each model
    is made from nothing, and for a model that a replay marked, since a corrected file may lack keys that it had; so are
    tallies when a rule is new, and what is built with --defer, since what other models have taken says nothing of it. -#}
{% macro is_made_anew() -%}
    {%- set rules_of = config.get('meta', {}).get('rules_of') -%}
    {{ return(
        flags.FULL_REFRESH
        or flags.WHICH == 'generate'
        or is_deferring()
        or replayed_upstream() | length > 0
        or (rules_of is not none and execute and lacks_tallies(rules_of))
    ) }}
{%- endmacro %}

{#- Whether this target has a database of its own, beside the lake's, where models that the run does not build are read. -#}
{% macro is_deferring() -%}
    {{ return(invocation_args_dict.get('defer') and generate_schema_name('curated_db', none) != 'curated_db') }}
{%- endmacro %}
