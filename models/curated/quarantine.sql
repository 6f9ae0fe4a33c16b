{{ config(materialized='view') }}

with files as (
    select * from {{ source('ledger', 'raw_files') }}
),

broken_rows as (
    {{ broken_rows(
        'orders', 'order_id', ref('orders_parsed'), ref('orders'), 'coalesce(standing.updated_at, standing.created_at)'
    ) }}
    union all
    {{ broken_rows(
        'users', 'user_id', ref('users_parsed'), ref('users'), 'coalesce(standing.updated_at, standing.created_at)'
    ) }}
    union all
    {{ broken_rows('products', 'product_id', ref('products_parsed'), ref('products'), 'standing.updated_at') }}
    union all
    {{ broken_rows('customers', 'customer_id', ref('customers_parsed'), ref('customers'), 'standing.updated_at') }}
    union all
    {{ broken_rows('events', 'event_id', ref('events_parsed'), ref('events')) }}
    union all
    {{ broken_rows('api_events', 'event_id', ref('api_events_parsed'), ref('events')) }}
),

final as (
    select
        broken_rows.dataset,
        broken_rows.record_key,
        broken_rows.reasons,
        broken_rows.raw_record,
        files.file as source_file,
        broken_rows.arrived,
        files.checked_at as quarantined_at,
        broken_rows.older_version_stands
    from broken_rows
    inner join files on broken_rows.file_id = files.file_id
    union all
    select
        dataset,
        cast(null as varchar) as record_key,
        reason as reasons,
        cast(null as varchar) as raw_record,
        file as source_file,
        arrived,
        checked_at as quarantined_at,
        false as older_version_stands
    from files
    where state = 'broken'
)

select * from final
