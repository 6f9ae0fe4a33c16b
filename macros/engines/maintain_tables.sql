{#- Rewrites the small files of every Iceberg table into larger ones, then removes snapshots older than the table's
    `vacuum_max_snapshot_age_seconds` and the files that only they hold: `dbt run-operation maintain_tables`. No row
    changes; run it when no build does, since a commit of one can make a commit of the other fail. -#}
{% macro maintain_tables() -%}
    {{ adapter.dispatch('maintain_tables')() }}
{%- endmacro %}

{% macro default__maintain_tables() -%}
    {{ unsupported('maintain_tables') }}
{%- endmacro %}

{% macro duckdb__maintain_tables() -%}
    {%- do log('The local lake needs no maintenance: DuckDB keeps its one file in order itself.', info=true) -%}
{%- endmacro %}

{% macro athena__maintain_tables() -%}
    {%- set tables = [progress_table(), source('ledger', 'raw_files')] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.config.materialized in ('table', 'incremental') -%}
        {%- do tables.append(api.Relation.create(node.database, node.schema, node.alias)) -%}
    {%- endfor -%}
    {%- for table in tables if adapter.get_relation(table.database, table.schema, table.identifier) is not none -%}
        {%- do log('Maintaining ' ~ table.schema ~ '.' ~ table.identifier, info=true) -%}
        {%- do adapter.run_operation_with_potential_multiple_runs(
            'optimize ' ~ table.render_pure() ~ ' rewrite data using bin_pack', 'optimize'
        ) -%}
        {%- do adapter.run_operation_with_potential_multiple_runs('vacuum ' ~ table.render_pure(), 'vacuum') -%}
    {%- endfor -%}
{%- endmacro %}
