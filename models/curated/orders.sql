{{ config(unique_key='order_id', post_hook="{{ remember_progress({'orders': 'orders_parsed'}) }}") }}

with versions as (
    select
        *,
        {{ in_new_file('orders') }} as is_new
    from {{ ref('orders_parsed') }}
    where reasons is null
),

{% if is_incremental() %}
touched as (
    select order_id from versions where is_new group by order_id
),
{% endif %}

ranked as (
    select
        *,
        row_number() over (
            partition by order_id
            order by
                version_at desc,
                arrived desc,
                source_file desc,
                price desc,
                quantity desc,
                discount desc,
                customer_id desc,
                product_id desc,
                created_at desc,
                updated_at desc
        ) as recency
    from versions
    {% if is_incremental() %}
    where order_id in (select order_id from touched)
    {% endif %}
),

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
        source_file
    from ranked
    where recency = 1
)

select * from final
