{#- Two CTEs of a model: `newest`, the newest version of each key with version_count, how many versions there are;
    and `repeated`, which it is made of.

    versions: the CTE that holds them; key: what identifies a row; moment: the column that says when a version was
    written; ties: columns that put versions of one moment in order, the greatest first.
    Few keys have several versions and few of these are of one moment. Only those are put in order, for sorting all
    of a history is the dear part of a full refresh. -#}
{% macro newest_versions(versions, key, moment, ties) -%}
repeated as (
    select
        {{ key }},
        max({{ moment }}) as newest_at,
        count(*) as version_count
    from {{ versions }}
    group by {{ key }}
    having count(*) > 1
),

candidates as (
    select
        {{ versions }}.*,
        cast(1 as bigint) as version_count,
        cast(1 as bigint) as recency
    from {{ versions }}
    where {{ versions }}.{{ key }} not in (select {{ key }} from repeated)
    union all
    select
        {{ versions }}.*,
        repeated.version_count,
        row_number() over (
            partition by {{ versions }}.{{ key }}
            order by {% for column in ties %}{{ versions }}.{{ column }} desc{{ ', ' if not loop.last }}{% endfor %}
        ) as recency
    from {{ versions }}
    inner join repeated on {{ versions }}.{{ key }} = repeated.{{ key }} and {{ versions }}.{{ moment }} = repeated.newest_at
),

newest as (
    select * from candidates
    where recency = 1
)
{%- endmacro %}
