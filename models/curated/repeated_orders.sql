{{ config(unique_key='order_id', post_hook="{{ remember_progress({'orders': 'orders'}) }}") }}
-- depends_on: {{ ref('touched_orders') }}

with broken as (
    select * from {{ ref('orders_parsed') }}
    where reasons is not null and order_id is not null
),

copies_of_orders as (
    {% if is_incremental() %}
    select
        order_id,
        1 as copies
    from {{ ref('touched_orders') }}
    {% else %}
        -- Orders say how many sound versions they stand for, so that history needs no counting.
        select
            order_id,
            version_count as copies
        from {{ ref('orders') }}
        where version_count > 1
        union all
        select
            order_id,
            version_count as copies
        from {{ ref('orders') }}
        where version_count = 1 and order_id in (select broken.order_id from broken)
        union all
        select
            order_id,
            1 as copies
        from broken
    {% endif %}
),

final as (
    select
        order_id,
        cast(sum(copies) as bigint) as copies
    from copies_of_orders
    group by order_id
    having sum(copies) > 1
)

select * from final
