{{ config(
    materialized='incremental',
    unique_key='order_date',
    post_hook=["{{ delete_vanished_dates() }}", "{{ remember_progress({'orders': 'orders'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

with orders as (
    select * from {{ ref('orders') }}
    {% if is_incremental() %}
    where order_date in ({{ touched_dates() }})
    {% endif %}
),

final as (
    select
        order_date,
        cast(count(*) as bigint) as order_count,
        cast(count(distinct customer_id) as bigint) as customer_count,
        cast(sum(quantity) as bigint) as items_sold,
        cast(sum(discount) as decimal(18, 2)) as total_discount,
        cast(sum(total) as decimal(18, 2)) as revenue,
        {{ ratio('sum(total)', 'count(*)') }} as average_order_value
    from orders
    group by order_date
)

select * from final
