{#- The broken rows of a parsed table, for the quarantine.

    dataset: its raw table; key: the column that identifies its rows; parsed, current: its parsed and its current
    table; version_at: the moment of a current row's version, where the data set has versions.
    An older sound version stands where the current row's moment comes before the broken row's; where they are the
    same, or one is not known, where it arrived earlier. -#}
{% macro broken_rows(dataset, key, parsed, current, version_at=none) -%}
    select
        '{{ dataset }}' as dataset,
        broken.{{ key }} as record_key,
        broken.reasons,
        broken.raw_record,
        broken.arrived,
        broken.file_id,
        coalesce(
            {% if version_at is not none -%}
            case when {{ version_at }} <> broken.version_at then {{ version_at }} < broken.version_at end,
            {% endif -%}
            {{ arrival('standing.source_file') }} < {{ arrival('broken.source_file') }},
            false
        ) as older_version_stands
    from {{ parsed }} as broken
    left join {{ current }} as standing on broken.{{ key }} = standing.{{ key }}
    where broken.reasons is not null
{%- endmacro %}
