{{ config(
    materialized='incremental',
    unique_key='product_id',
    post_hook=[
        "{{ delete_vanished_product_totals() }}",
        "{{ remember_progress({'orders': 'product_months', 'products': 'products'}) }}"
    ]
) }}
-- depends_on: {{ ref('touched_orders') }}
-- depends_on: {{ ref('products_parsed') }}

with {% if is_incremental() %}touched as (
    {{ touched_products() }}
    union
    {{ touched_keys('products', 'product_id') }}
),

{% endif %}months as (
    select * from {{ ref('product_months') }}
    {% if is_incremental() %}
    where product_id in (select product_id from touched)
    {% endif %}
),

products as (
    select * from {{ ref('products') }}
),

sold as (
    select
        product_id,
        sum(order_count) as order_count,
        sum(items_sold) as items_sold,
        sum(total_discount) as total_discount,
        sum(revenue) as revenue,
        sum(days_sold) as days_sold,
        min(first_sold_on) as first_sold_on,
        max(last_sold_on) as last_sold_on
    from months
    group by product_id
),

final as (
    select
        sold.product_id,
        products.name,
        products.category,
        products.department,
        products.brand,
        products.price as list_price,
        cast(sold.order_count as bigint) as order_count,
        cast(sold.items_sold as bigint) as items_sold,
        cast(sold.total_discount as decimal(18, 2)) as total_discount,
        cast(sold.revenue as decimal(18, 2)) as revenue,
        cast(sold.days_sold as bigint) as days_sold,
        sold.first_sold_on,
        sold.last_sold_on
    from sold
    left join products on sold.product_id = products.product_id
)

select * from final
