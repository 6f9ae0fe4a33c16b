{{ config(
    materialized='incremental',
    unique_key='product_key',
    post_hook="{{ remember_progress({'products': 'products'}) }}"
) }}
-- depends_on: {{ ref('products_parsed') }}

with products as (
    select * from {{ ref('products') }}
    where {{ is_touched('products', 'product_id') }}
),

final as (
    select
        product_id as product_key,
        product_id,
        name,
        category,
        department,
        brand,
        price as list_price
    from products
    union all
    select
        {{ unknown_key() }} as product_key,
        cast(null as varchar) as product_id,
        cast(null as varchar) as name,
        cast(null as varchar) as category,
        cast(null as varchar) as department,
        cast(null as varchar) as brand,
        cast(null as decimal(10, 2)) as list_price
)

select * from final
