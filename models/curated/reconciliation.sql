{{ config(materialized='table') }}

-- The raw side comes from the ledger, which counted the rows of the files themselves, not from the tables that
-- the models read. No model takes the CRM's data sets yet.
with raw as (
    select
        files.dataset,
        sum(files."rows") as raw_rows,
        count(case when files.state = 'broken' then 1 end) as broken_files
    from {{ source('ledger', 'raw_files') }} as files
    where files.state = 'broken' or files.dataset not in ('accounts', 'contacts')
    group by files.dataset
),

event_versions as (
    select
        'events' as dataset,
        event_id,
        arrived,
        source_file
    from {{ ref('events_parsed') }}
    where reasons is null
    union all
    select
        'api_events' as dataset,
        event_id,
        arrived,
        source_file
    from {{ ref('api_events_parsed') }}
    where reasons is null
),

ranked_events as (
    select
        dataset,
        row_number() over (
            partition by event_id
            order by
                arrived desc,
                {{ arrival('source_file') }} desc,
                source_file desc
        ) as recency
    from event_versions
),

customer_changes as (
    select
        customer_id,
        version_at,
        count(*) as copies
    from {{ ref('customers_parsed') }}
    where reasons is null
    group by customer_id, version_at
),

explained as (
    select
        {{ account_for("'orders'", curated='count(*)') }}
    from {{ ref('orders') }}
    union all
    select
        {{ account_for("'orders'", superseded=count_superseded('order_id'), quarantined='count(reasons)') }}
    from {{ ref('orders_parsed') }}
    union all
    select
        {{ account_for("'users'", curated='count(*)') }}
    from {{ ref('users') }}
    union all
    select
        {{ account_for("'users'", superseded=count_superseded('user_id'), quarantined='count(reasons)') }}
    from {{ ref('users_parsed') }}
    union all
    select
        {{ account_for("'products'", curated='count(*)') }}
    from {{ ref('products') }}
    union all
    select
        {{ account_for("'products'", superseded=count_superseded('product_id'), quarantined='count(reasons)') }}
    from {{ ref('products_parsed') }}
    union all
    select
        {{ account_for("'customers'", curated='count(*)') }}
    from {{ ref('customers') }}
    union all
    select
        {{ account_for(
            "'customers'",
            superseded='count(case when not is_delete and not ended_by_delete and next_version_at is not null then 1 end)',
            deleted='count(case when is_delete or ended_by_delete then 1 end)'
        ) }}
    from {{ ref('customer_versions') }}
    union all
    select
        {{ account_for("'customers'", superseded='coalesce(sum(copies - 1), 0)') }}
    from customer_changes
    union all
    select
        {{ account_for("'customers'", quarantined='count(reasons)') }}
    from {{ ref('customers_parsed') }}
    union all
    select
        {{ account_for(
            "case when source_file like 'raw/api_events/%' then 'api_events' else 'events' end",
            curated='1'
        ) }}
    from {{ ref('events') }}
    union all
    select
        {{ account_for('dataset', superseded='1') }}
    from ranked_events
    where recency > 1
    union all
    select
        {{ account_for("'events'", quarantined='count(reasons)') }}
    from {{ ref('events_parsed') }}
    union all
    select
        {{ account_for("'api_events'", quarantined='count(reasons)') }}
    from {{ ref('api_events_parsed') }}
),

by_dataset as (
    select
        dataset,
        sum(curated_rows) as curated_rows,
        sum(superseded_rows) as superseded_rows,
        sum(deleted_rows) as deleted_rows,
        sum(quarantined_rows) as quarantined_rows
    from explained
    group by dataset
),

counted as (
    select
        coalesce(by_dataset.dataset, raw.dataset) as dataset,
        coalesce(raw.raw_rows, 0) as raw_rows,
        coalesce(by_dataset.curated_rows, 0) as curated_rows,
        coalesce(by_dataset.superseded_rows, 0) as superseded_rows,
        coalesce(by_dataset.deleted_rows, 0) as deleted_rows,
        coalesce(by_dataset.quarantined_rows, 0) + coalesce(raw.broken_files, 0) as quarantined_rows,
        0 as expired_rows
    from by_dataset
    full outer join raw on by_dataset.dataset = raw.dataset
),

final as (
    select
        dataset,
        cast(raw_rows as bigint) as raw_rows,
        cast(curated_rows as bigint) as curated_rows,
        cast(superseded_rows as bigint) as superseded_rows,
        cast(deleted_rows as bigint) as deleted_rows,
        cast(quarantined_rows as bigint) as quarantined_rows,
        cast(expired_rows as bigint) as expired_rows,
        cast(
            raw_rows - curated_rows - superseded_rows - deleted_rows - quarantined_rows - expired_rows as bigint
        ) as unexplained_rows
    from counted
)

select * from final
