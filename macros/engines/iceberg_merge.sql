{#- In place of dbt-athena's own: a merge into a table that is partitioned by a date names the dates it can meet, since
    Athena leaves out partitions by literals only.

    Those are the dates of the new rows, and the dates under which their keys stand in the table now: none other where
    the date is part of the key, else those of all versions of these keys, which `touched_orders` holds. A model with
    neither is merged without a range. -#}
{% macro iceberg_merge(
    on_schema_change,
    tmp_relation,
    target_relation,
    unique_key,
    incremental_predicates,
    existing_relation,
    delete_condition,
    update_condition,
    insert_condition,
    force_batch,
    statement_name="main"
) -%}
    {%- set range = athena_dates_of_merge(tmp_relation, [unique_key] if unique_key is string else unique_key) -%}
    {{ return(dbt.iceberg_merge(
        on_schema_change,
        tmp_relation,
        target_relation,
        unique_key,
        (incremental_predicates or []) + [range] if range else incremental_predicates,
        existing_relation,
        delete_condition,
        update_condition,
        insert_condition,
        force_batch,
        statement_name
    )) }}
{%- endmacro %}

{% macro athena_dates_of_merge(new_rows, keys) -%}
    {%- set by_date = modules.re.fullmatch('(?:day|month|year)\((\w+)\)', (config.get('partitioned_by') or [''])[0]) -%}
    {%- set versions = graph.nodes.values()
        | selectattr('unique_id', 'in', model.depends_on.nodes)
        | selectattr('name', 'equalto', 'touched_orders')
        | list -%}
    {%- if not by_date or (by_date[1] not in keys and not versions) -%}{{ return(none) }}{%- endif -%}
    {%- set column = by_date[1] -%}
    {%- set dates -%}
        select min({{ column }}), max({{ column }})
        from (
            select {{ column }} from {{ new_rows }}
            {%- if column not in keys %}
            union all
            select {{ column }} from {{ versions[0].relation_name }} where reasons is null
            {%- endif %}
        ) as dates
    {%- endset -%}
    {%- set first, last = run_query(dates).rows[0].values() -%}
    {{ return("target." ~ column ~ " between date '" ~ first ~ "' and date '" ~ last ~ "'" if first else 'false') }}
{%- endmacro %}
