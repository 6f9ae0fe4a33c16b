{#- In place of dbt's own, which the incremental materialization and `is_incremental()` ask: a model that a replay marked
    is made anew too, from the parsed tables, since a corrected file may lack keys that it had; so are tallies when a rule
    is new. The lineage page shows how each model is made from nothing. -#}
{% macro should_full_refresh() -%}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{ return(configured) }}
    {%- endif -%}
    {%- set rules_of = config.get('meta', {}).get('rules_of') -%}
    {{ return(
        flags.FULL_REFRESH
        or flags.WHICH == 'generate'
        or replayed_upstream() | length > 0
        or (rules_of is not none and execute and lacks_tallies(rules_of))
    ) }}
{%- endmacro %}
