{{ config(post_hook="{{ remember_progress({'customers': 'customer_versions'}) }}") }}

with versions as (
    select * from {{ ref('customer_versions') }}
),

numbered as (
    select
        *,
        row_number() over (partition by customer_id order by version_at) as version_number
    from versions
    where not is_delete
),

known as (
    select
        customer_id || '-' || cast(version_number as varchar) as customer_key,
        customer_id,
        segment,
        region,
        age,
        income,
        case when version_number = 1 then {{ beginning_of_time() }} else version_at end as valid_from,
        next_version_at as valid_to,
        next_version_at is null as is_current
    from numbered
),

final as (
    select * from known
    union all
    select
        {{ unknown_key() }} as customer_key,
        cast(null as varchar) as customer_id,
        cast(null as varchar) as segment,
        cast(null as varchar) as region,
        cast(null as varchar) as age,
        cast(null as varchar) as income,
        {{ beginning_of_time() }} as valid_from,
        cast(null as timestamp) as valid_to,
        true as is_current
)

select * from final
