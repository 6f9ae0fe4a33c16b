{{ config(materialized='table', post_hook="{{ remember_progress({'orders': 'orders_parsed'}) }}") }}

-- What an increment makes orders, and all that comes from them, again from: history is searched here, once a run.
{% set is_new = "order_id is not null and " ~ not_taken_by_all('orders') %}

with touched as (
    select order_id from {{ ref('orders_parsed') }}
    where {{ is_new }}
),

final as (
    select
        file_id,
        source_file,
        arrived,
        order_id,
        customer_id,
        product_id,
        quantity,
        price,
        discount,
        total,
        order_date,
        created_at,
        updated_at,
        version_at,
        reasons
    from {{ ref('orders_parsed') }}
    where
        order_id in (select touched.order_id from touched)
        and {{ between_touched_keys('order_id', ref('orders_parsed'), is_new) }}
)

select * from final
