{{ config(unique_key='order_id', post_hook="{{ remember_progress({'orders': 'orders_parsed'}) }}") }}

with versions as (
    select * from {{ ref('orders_parsed') }}
    where reasons is null and {{ is_touched('orders', 'order_id') }}
),

{{ newest_versions('versions', key='order_id', moment='version_at', ties=[
    'arrived',
    'source_file',
    'price',
    'quantity',
    'discount',
    'customer_id',
    'product_id',
    'created_at',
    'updated_at'
]) }},

final as (
    select
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
        version_count,
        file_id,
        source_file
    from newest
)

select * from final
