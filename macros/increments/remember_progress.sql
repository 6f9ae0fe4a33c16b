{#- Write down how far this model has taken each data set: as far as the model it reads it from.

    A model that was made anew after a replay is not marked for it any more.

    upstream: by data set, the model that the rows come through. One that itself remembers its progress gives
    that; a parsed table gives its highest file. -#}
{% macro remember_progress(upstream) -%}
    {%- if execute -%}
    {%- set reached = {} -%}
    {%- for dataset, model_name in upstream.items() -%}
        {%- set file_id = highest_file(dataset) if model_name.endswith('_parsed') else progress_of(model_name, dataset) -%}
        {%- if file_id > progress_of(this.identifier, dataset) -%}
            {%- do reached.update({dataset: file_id}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if reached -%}
        {%- set rows -%}
            {%- for dataset, file_id in reached.items() -%}
            ('{{ this.identifier }}', '{{ dataset }}', {{ file_id }}){{ ', ' if not loop.last }}
            {%- endfor -%}
        {%- endset -%}
        {%- do run_query('insert into ' ~ progress_table() ~ ' (model, dataset, file_id) values ' ~ rows) -%}
        {%- for dataset, file_id in reached.items() -%}
            {%- do known_progress().update({
                (this.identifier, dataset): {'file_id': file_id, 'is_marked': is_marked(this.identifier, dataset)}
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do clear_replay_marks() -%}
    {%- endif -%}
{%- endmacro %}

{#- The highest number of a file in the parsed table. -#}
{% macro highest_file(dataset) -%}
    {{ return(once_a_run('select coalesce(max(file_id), 0) from ' ~ parsed_table(dataset))[0][0]) }}
{%- endmacro %}

{#- The parsed table that `ref` gives with --defer: of this target's database, or where it has none, of the lake's own. -#}
{% macro parsed_table(dataset) -%}
    {%- set own = this.incorporate(path={'identifier': dataset ~ '_parsed', 'schema': generate_schema_name('curated_db', none)}) -%}
    {%- if own.schema == 'curated_db' or load_relation(own) is not none -%}
        {{ return(own) }}
    {%- endif -%}
    {{ return(own.incorporate(path={'schema': 'curated_db'})) }}
{%- endmacro %}
