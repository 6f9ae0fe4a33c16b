{#- Write down how far this model has taken each data set: as far as the model it reads it from.

    A model that was made anew after a replay is not marked for it any more.

    upstream: by data set, the model that the rows come through. One that itself remembers its progress gives
    that; a parsed table gives its highest file. -#}
{% macro remember_progress(upstream) -%}
    {%- if execute -%}
    {%- set reached -%}
    insert into {{ progress_table() }}
    select '{{ this.identifier }}', reached.dataset, reached.file_id
    from (
        {%- for dataset, model in upstream.items() %}
        select '{{ dataset }}' as dataset, max(file_id) as file_id
        {%- if model.endswith('_parsed') %}
        from {{ parsed_table(dataset) }}
        {%- else %}
        from {{ progress_table() }} where model = '{{ model }}' and dataset = '{{ dataset }}'
        {%- endif %}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ) as reached
    left join (
        select dataset, max(file_id) as file_id
        from {{ progress_table() }}
        where model = '{{ this.identifier }}'
        group by dataset
    ) as known on reached.dataset = known.dataset
    where reached.file_id > coalesce(known.file_id, 0)
    {%- endset -%}
    {#- Athena takes one statement at a time. -#}
    {%- do run_query(reached) -%}
    {{ clear_replay_marks() }}
    {%- endif -%}
{%- endmacro %}

{% macro parsed_table(dataset) -%}
    {{ return(this.incorporate(path={'identifier': dataset ~ '_parsed', 'schema': generate_schema_name('curated_db', none)})) }}
{%- endmacro %}
