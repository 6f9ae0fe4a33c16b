{{ config(
    unique_key='order_id',
    partitioned_by=partition_by_date('order_date'),
    post_hook="{{ remember_progress({'orders': 'touched_orders'}) }}"
) }}
-- depends_on: {{ ref('touched_orders') }}

with versions as (
    {% if is_incremental() %}
    select * from {{ ref('touched_orders') }}
    {% else %}
        select * from {{ ref('orders_parsed') }}
    {% endif %}
    where reasons is null
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
