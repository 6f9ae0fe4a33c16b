{{ config(
    unique_key='event_id',
    post_hook="{{ remember_progress({'events': 'events_parsed', 'api_events': 'api_events_parsed'}) }}"
) }}

with sound as (
    select
        *,
        0 as is_from_api
    from {{ ref('events_parsed') }}
    where reasons is null
    union all
    select
        *,
        1 as is_from_api
    from {{ ref('api_events_parsed') }}
    where reasons is null
),

versions as (
    select
        *,
        {{ arrival('source_file') }} as arrival
    from sound
    where {{ is_touched('events', 'event_id', also_through='api_events') }}
),

{{ newest_versions('versions', key='event_id', moment='arrived', ties=[
    'arrival',
    'source_file',
    'occurred_at',
    'event_type',
    'customer_id',
    'product_id',
    'session_id',
    'properties'
]) }},

from_api as (
    select
        event_id,
        count(*) as version_count
    from versions
    where is_from_api = 1
    group by event_id
),

final as (
    select
        newest.event_id,
        coalesce(newest.source, 'events-stream') as source,
        newest.customer_id,
        newest.event_type,
        newest.product_id,
        newest.occurred_at,
        newest.session_id,
        newest.properties,
        newest.version_count,
        coalesce(from_api.version_count, 0) as api_version_count,
        newest.file_id,
        newest.source_file
    from newest
    left join from_api on newest.event_id = from_api.event_id
)

select * from final
