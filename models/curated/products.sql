{{ config(unique_key='product_id', post_hook="{{ remember_progress({'products': 'products_parsed'}) }}") }}

with versions as (
    select * from {{ ref('products_parsed') }}
    where reasons is null and {{ is_touched('products', 'product_id') }}
),

{{ newest_versions('versions', key='product_id', moment='version_at', ties=[
    'arrived',
    'source_file',
    'price',
    'name',
    'category',
    'department',
    'brand'
]) }},

final as (
    select
        product_id,
        name,
        category,
        department,
        brand,
        price,
        updated_at,
        version_count,
        file_id,
        source_file
    from newest
)

select * from final
