{{ config(
    materialized='incremental',
    unique_key=['order_date', 'product_id'],
    partitioned_by=partition_by_date('order_date', 'month'),
    post_hook=["{{ delete_vanished_products() }}", "{{ remember_progress({'orders': 'orders'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

with orders as (
    select
        *,
        coalesce(product_id, {{ unknown_key() }}) as known_product_id
    from {{ ref('orders') }}
    {% if is_incremental() %}
    where order_date in ({{ touched_dates() }})
    {% endif %}
),

final as (
    select
        order_date,
        known_product_id as product_id,
        cast(count(*) as bigint) as order_count,
        cast(count(distinct customer_id) as bigint) as customer_count,
        cast(sum(quantity) as bigint) as items_sold,
        cast(sum(discount) as decimal(18, 2)) as total_discount,
        cast(sum(total) as decimal(18, 2)) as revenue
    from orders
    group by order_date, known_product_id
)

select * from final
