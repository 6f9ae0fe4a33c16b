{{ config(materialized='view') }}

with files as (
    select * from {{ source('ledger', 'raw_files') }}
),

broken_rows as (
    select
        'orders' as dataset,
        parsed.order_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(
            coalesce(current_rows.updated_at, current_rows.created_at) < parsed.version_at,
            current_rows.source_file < parsed.source_file,
            false
        ) as older_version_stands
    from {{ ref('orders_parsed') }} as parsed
    left join {{ ref('orders') }} as current_rows on parsed.order_id = current_rows.order_id
    where parsed.reasons is not null
    union all
    select
        'users' as dataset,
        parsed.user_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(
            coalesce(current_rows.updated_at, current_rows.created_at) < parsed.version_at,
            current_rows.source_file < parsed.source_file,
            false
        ) as older_version_stands
    from {{ ref('users_parsed') }} as parsed
    left join {{ ref('users') }} as current_rows on parsed.user_id = current_rows.user_id
    where parsed.reasons is not null
    union all
    select
        'products' as dataset,
        parsed.product_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(
            current_rows.updated_at < parsed.version_at,
            current_rows.source_file < parsed.source_file,
            false
        ) as older_version_stands
    from {{ ref('products_parsed') }} as parsed
    left join {{ ref('products') }} as current_rows on parsed.product_id = current_rows.product_id
    where parsed.reasons is not null
    union all
    select
        'customers' as dataset,
        parsed.customer_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(
            current_rows.updated_at < parsed.version_at,
            current_rows.source_file < parsed.source_file,
            false
        ) as older_version_stands
    from {{ ref('customers_parsed') }} as parsed
    left join {{ ref('customers') }} as current_rows on parsed.customer_id = current_rows.customer_id
    where parsed.reasons is not null
    union all
    select
        'events' as dataset,
        parsed.event_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(current_rows.source_file < parsed.source_file, false) as older_version_stands
    from {{ ref('events_parsed') }} as parsed
    left join {{ ref('events') }} as current_rows on parsed.event_id = current_rows.event_id
    where parsed.reasons is not null
    union all
    select
        'api_events' as dataset,
        parsed.event_id as record_key,
        parsed.reasons,
        parsed.raw_record,
        parsed.source_file,
        parsed.arrived,
        parsed.file_id,
        coalesce(current_rows.source_file < parsed.source_file, false) as older_version_stands
    from {{ ref('api_events_parsed') }} as parsed
    left join {{ ref('events') }} as current_rows on parsed.event_id = current_rows.event_id
    where parsed.reasons is not null
),

final as (
    select
        broken_rows.dataset,
        broken_rows.record_key,
        broken_rows.reasons,
        broken_rows.raw_record,
        broken_rows.source_file,
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
