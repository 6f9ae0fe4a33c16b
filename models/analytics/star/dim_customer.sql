{{ config(
    materialized='incremental',
    unique_key='customer_key',
    post_hook=["{{ delete_vanished_customer_keys() }}", "{{ remember_progress({'customers': 'customer_versions'}) }}"]
) }}
-- depends_on: {{ ref('customers_parsed') }}

with versions as (
    select * from {{ ref('customer_versions') }}
    where not is_delete and {{ is_touched('customers', 'customer_id') }}
),

known as (
    select
        {{ customer_key() }} as customer_key,
        customer_id,
        segment,
        region,
        age,
        income,
        case when is_first then {{ beginning_of_time() }} else version_at end as valid_from,
        next_version_at as valid_to,
        next_version_at is null as is_current
    from versions
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
        cast(null as timestamp(6)) as valid_to,
        true as is_current
)

select * from final
