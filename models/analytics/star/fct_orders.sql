{{ config(
    materialized='incremental',
    unique_key='order_id',
    partitioned_by=partition_by_date('order_date'),
    post_hook="{{ remember_progress({'orders': 'orders', 'customers': 'dim_customer'}) }}"
) }}
-- depends_on: {{ ref('touched_orders') }}
-- depends_on: {{ ref('customers_parsed') }}

with products as (
    select * from {{ ref('dim_product') }}
),

dates as (
    select * from {{ ref('dim_date') }}
),

customers as (
    select
        customer_key,
        customer_id,
        valid_from,
        -- Not `valid_to is null or ...` in the join: an or there compares every pair.
        coalesce(valid_to, {{ end_of_time() }}) as valid_to
    from {{ ref('dim_customer') }}
),

{% if is_incremental() %}
late as (
    -- A product that came after its orders.
    select known.order_id
    from {{ this }} as known
    inner join products on known.product_id = products.product_key
    where known.product_key = {{ unknown_key() }}
    union
    -- A calendar that reaches further now.
    select known.order_id
    from {{ this }} as known
    inner join dates on known.order_date = dates.calendar_date
    where known.date_key = {{ unknown_date_key() }}
),
{% endif %}

orders as (
    select * from {{ ref('orders') }}
    {% if is_incremental() %}
    where {{ in_new_file('orders') }}
    union
    select * from {{ ref('orders') }}
    where {{ is_touched('customers', 'customer_id') }}
    union
    select * from {{ ref('orders') }}
    where order_id in (select order_id from late)
    {% endif %}
),

final as (
    select
        orders.order_id,
        coalesce(dates.date_key, {{ unknown_date_key() }}) as date_key,
        coalesce(customers.customer_key, {{ unknown_key() }}) as customer_key,
        coalesce(products.product_key, {{ unknown_key() }}) as product_key,
        orders.order_date,
        orders.customer_id,
        orders.product_id,
        orders.created_at,
        orders.quantity,
        orders.price,
        orders.discount,
        orders.total
    from orders
    left join customers
        on
            orders.customer_id = customers.customer_id
            and orders.created_at >= customers.valid_from
            and orders.created_at < customers.valid_to
    left join products on orders.product_id = products.product_id
    left join dates on orders.order_date = dates.calendar_date
)

select * from final
