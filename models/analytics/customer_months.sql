{{ config(
    materialized='incremental',
    unique_key=['order_month', 'customer_id'],
    partitioned_by=partition_by_date('order_month', 'month'),
    post_hook=["{{ delete_vanished_customer_months() }}", "{{ remember_progress({'orders': 'orders'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

with orders as (
    select
        *,
        {{ month_of('order_date') }} as order_month
    from {{ ref('orders') }}
    where customer_id is not null and {{ in_touched_months('order_date') }}
),

final as (
    select
        order_month,
        customer_id,
        cast(count(*) as bigint) as order_count,
        cast(sum(total) as decimal(18, 2)) as total_spent,
        cast(count(distinct order_date) as bigint) as days_ordered,
        min(order_date) as first_order_on,
        max(order_date) as last_order_on
    from orders
    group by order_month, customer_id
)

select * from final
