{{ config(materialized='table') }}

with versions as (
    select * from {{ ref('customer_versions') }}
),

final as (
    select
        customer_id,
        name,
        segment,
        region,
        email,
        phone,
        address,
        age,
        income,
        version_at as updated_at,
        source_file
    from versions
    where next_version_at is null and not is_delete
)

select * from final
