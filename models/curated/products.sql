{{ config(unique_key='product_id', post_hook="{{ remember_progress({'products': 'products_parsed'}) }}") }}

with versions as (
    select
        *,
        {{ in_new_file('products') }} as is_new
    from {{ ref('products_parsed') }}
    where reasons is null
),

{% if is_incremental() %}
touched as (
    select product_id from versions where is_new group by product_id
),
{% endif %}

ranked as (
    select
        *,
        row_number() over (
            partition by product_id
            order by
                version_at desc,
                arrived desc,
                source_file desc,
                price desc,
                name desc,
                category desc,
                department desc,
                brand desc
        ) as recency
    from versions
    {% if is_incremental() %}
    where product_id in (select product_id from touched)
    {% endif %}
),

final as (
    select
        product_id,
        name,
        category,
        department,
        brand,
        price,
        updated_at,
        source_file
    from ranked
    where recency = 1
)

select * from final
