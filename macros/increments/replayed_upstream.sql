{#- The data sets for whose replay this model must be made anew: those it is marked for and comes from. -#}
{% macro replayed_upstream() -%}
    {%- if not execute or model.config.materialized != 'incremental' -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set marked = replay_marks(this.identifier) -%}
    {%- set upstream = upstream_models() if marked else [] -%}
    {%- set replayed = [] -%}
    {%- for dataset in marked if dataset ~ '_parsed' in upstream -%}
        {%- do replayed.append(dataset) -%}
    {%- endfor -%}
    {{ return(replayed) }}
{%- endmacro %}

{#- The names of all models that this model comes from. -#}
{% macro upstream_models() -%}
    {%- set found = [model.unique_id] -%}
    {%- for node in found -%}
        {#- The loop goes on with what is added to the list here. -#}
        {%- for parent in graph.nodes[node].depends_on.get('nodes', []) if parent in graph.nodes and parent not in found -%}
            {%- do found.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for node in found[1:] -%}
        {%- do names.append(graph.nodes[node].name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{#- Take this model's marks off, in the transaction of its rows. One stays where the rows came too early: the parsed
    table lacks files yet, or a model between is not made anew yet, as in a run of some models only. -#}
{% macro clear_replay_marks() -%}
    {%- if replay_marks(this.identifier) -%}
    {%- set cleared %}
    delete from {{ progress_table() }}
    where
        model = '{{ this.identifier }}'
        and file_id = -1
        {%- for dataset in replayed_upstream() %}
        and not (
            dataset = '{{ dataset }}'
            and (
                exists (
                    select 1 from {{ progress_table() }} as other
                    where
                        other.dataset = '{{ dataset }}'
                        and other.file_id = -1
                        and other.model in ('{{ upstream_models() | join("', '") }}')
                )
                or exists (
                    select 1 from {{ source('ledger', 'raw_files') }} as raw_files
                    where
                        raw_files.dataset = '{{ dataset }}'
                        and raw_files.state = 'sound'
                        and raw_files.rows > 0
                        and raw_files.file_id not in (select file_id from {{ parsed_table(dataset) }})
                )
            )
        )
        {%- endfor %}
    {%- endset -%}
    {%- do run_query(cleared) -%}
    {%- do read_marks_again() -%}
    {%- endif -%}
{%- endmacro %}

{% macro read_marks_again() -%}
    {%- set still = run_query(
        "select dataset from " ~ progress_table() ~ " where model = '" ~ this.identifier ~ "' and file_id = -1"
    ).columns[0].values() -%}
    {%- for dataset in replay_marks(this.identifier) if dataset not in still -%}
        {%- do known_progress()[(this.identifier, dataset)].update({'is_marked': false}) -%}
    {%- endfor -%}
{%- endmacro %}
