{#- Whether this results table is up to a certain file and then found nothing against a rule on the curated table, so
    that only what newer files touched needs to be looked at. -#}
{% macro held_before(rule) -%}
    {%- if not (execute and is_incremental()) or is_made_anew() -%}{{ return(false) }}{%- endif -%}
    {%- set found = run_query(
        "select violation_count from " ~ this ~ " where stage = 'curated' and rule = '" ~ rule ~ "'"
    ).columns[0].values() | list -%}
    {{ return(found == [0]) }}
{%- endmacro %}
