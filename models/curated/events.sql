{{ config(
    unique_key='event_id',
    post_hook="{{ remember_progress({'events': 'events_parsed', 'api_events': 'api_events_parsed'}) }}"
) }}

with versions as (
    select
        *,
        {{ in_new_file('events') }} as is_new
    from {{ ref('events_parsed') }}
    where reasons is null
    union all
    select
        *,
        {{ in_new_file('api_events') }} as is_new
    from {{ ref('api_events_parsed') }}
    where reasons is null
),

{% if is_incremental() %}
touched as (
    select event_id from versions where is_new group by event_id
),
{% endif %}

ranked as (
    select
        *,
        row_number() over (
            partition by event_id
            order by
                arrived desc,
                {{ arrival('source_file') }} desc,
                source_file desc,
                occurred_at desc,
                event_type desc,
                customer_id desc,
                product_id desc,
                session_id desc,
                properties desc
        ) as recency
    from versions
    {% if is_incremental() %}
    where event_id in (select event_id from touched)
    {% endif %}
),

final as (
    select
        event_id,
        coalesce(source, 'events-stream') as source,
        customer_id,
        event_type,
        product_id,
        occurred_at,
        session_id,
        properties,
        source_file
    from ranked
    where recency = 1
)

select * from final
