{{ config(
    materialized='incremental',
    unique_key=['order_month', 'product_id'],
    partitioned_by=partition_by_date('order_month', 'month'),
    post_hook=["{{ delete_vanished_product_months() }}", "{{ remember_progress({'orders': 'product_metrics'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

with metrics as (
    select
        *,
        {{ month_of('order_date') }} as order_month
    from {{ ref('product_metrics') }}
    where {{ in_touched_months('order_date') }}
),

final as (
    select
        order_month,
        product_id,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(items_sold) as bigint) as items_sold,
        cast(sum(total_discount) as decimal(18, 2)) as total_discount,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        cast(count(*) as bigint) as days_sold,
        min(order_date) as first_sold_on,
        max(order_date) as last_sold_on
    from metrics
    group by order_month, product_id
)

select * from final
