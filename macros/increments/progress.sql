{#- How far models have taken the data sets, as `model_progress` has it: read when a run starts and kept up to date by
    `remember_progress`, so that models need not ask. -#}

{#- Read the table; for on-run-start, before models run side by side.

    With --defer a model is read in the lake's own database where this target has none of it; so is its progress. -#}
{% macro read_progress() -%}
    {%- if execute -%}
        {%- set own = progress_table() -%}
        {%- set taken = progress_in(own) -%}
        {%- if is_deferring() -%}
            {%- for key, progress in progress_in(own.incorporate(path={'schema': 'curated_db'})).items() -%}
                {%- if 'model.datalake.' ~ key[0] not in selected_resources and load_relation(own.incorporate(path={'identifier': key[0]})) is none -%}
                    {%- do taken.update({key: progress}) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {%- do run_notes('progress').update({'taken': taken}) -%}
    {%- endif -%}
{%- endmacro %}

{% macro progress_in(table) -%}
    {%- set taken = {} -%}
    {%- if load_relation(table) is not none -%}
        {%- for name, dataset, highest, lowest in run_query(
            'select model, dataset, max(file_id), min(file_id) from ' ~ table ~ ' group by model, dataset'
        ).rows | map('list') -%}
            {%- do taken.update({(name, dataset): {'file_id': [highest, 0] | max, 'is_marked': lowest == -1}}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(taken) }}
{%- endmacro %}

{% macro known_progress() -%}
    {%- if 'taken' not in run_notes('progress') -%}
        {%- do read_progress() -%}
    {%- endif -%}
    {{ return(run_notes('progress').taken) }}
{%- endmacro %}

{#- The highest number of a file of the data set that the model has taken; 0 before the first. -#}
{% macro progress_of(name, dataset) -%}
    {{ return(known_progress().get((name, dataset), {}).get('file_id', 0)) }}
{%- endmacro %}

{#- Whether `datalake replay` marked the model for the data set, by a row with the number -1. -#}
{% macro is_marked(name, dataset) -%}
    {{ return(known_progress().get((name, dataset), {}).get('is_marked', false)) }}
{%- endmacro %}

{#- The data sets that the model is marked for. -#}
{% macro replay_marks(name) -%}
    {%- set marked = [] -%}
    {%- for key in known_progress() | list if key[0] == name and is_marked(*key) -%}
        {%- do marked.append(key[1]) -%}
    {%- endfor -%}
    {{ return(marked) }}
{%- endmacro %}
