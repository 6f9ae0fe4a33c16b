{{ config(incremental_strategy='append') }}

with raw as (
    {{ raw_records('orders') }}
),

typed as (
    select
        *,
        case when quantity is null then 0 else {{ to_integer('quantity') }} end as quantity_int,
        {{ to_decimal('price') }} as price_decimal,
        case when discount is null then 0 else {{ to_decimal('discount') }} end as discount_decimal,
        {{ to_utc('created_at') }} as created_utc,
        {{ to_utc('updated_at') }} as updated_utc
    from raw
),

with_total as (
    select
        *,
        cast(price_decimal as decimal(18, 2)) * cast(quantity_int as decimal(18, 0)) - discount_decimal as exact_total
    from typed
),

with_reasons as (
    select
        *,
        {{ reasons({
            'malformed_json': 'is_malformed',
            'missing_order_id': 'not is_malformed and ' ~ is_no_key('order_id'),
            'bad_quantity': 'quantity_int is null',
            'bad_price': 'price is not null and price_decimal is null',
            'bad_discount': 'discount_decimal is null',
            'bad_created_at': 'created_at is not null and created_utc is null',
            'missing_created_at': 'not is_malformed and created_at is null',
            'bad_updated_at': 'updated_at is not null and updated_utc is null',
            'total_out_of_range': 'try_cast(exact_total as decimal(10, 2)) is null and exact_total is not null',
            'total_not_above_zero': 'exact_total <= 0',
            'missing_price': 'not is_malformed and price is null'
        }) }} as reasons
    from with_total
),

final as (
    select
        file_id,
        source_file,
        arrived,
        order_id,
        nullif(customer_id, '') as customer_id,
        nullif(product_id, '') as product_id,
        quantity_int as quantity,
        price_decimal as price,
        cast(discount_decimal as decimal(10, 2)) as discount,
        try_cast(exact_total as decimal(10, 2)) as total,
        cast(created_utc as date) as order_date,
        created_utc as created_at,
        updated_utc as updated_at,
        case when updated_at is null then created_utc else updated_utc end as version_at,
        reasons,
        case when reasons is not null then {{ raw_text('orders') }} end as raw_record
    from with_reasons
)

select * from final
