{{ config(incremental_strategy='append') }}

with raw as (
    {{ raw_records('products') }}
),

typed as (
    select
        *,
        {{ to_decimal('price') }} as price_decimal,
        {{ to_utc('updated_at') }} as updated_utc
    from raw
),

with_reasons as (
    select
        *,
        {{ reasons({
            'missing_product_id': is_no_key('product_id'),
            'bad_price': 'price is not null and (price_decimal is null or price_decimal < 0)',
            'bad_updated_at': 'updated_at is not null and updated_utc is null',
            'missing_updated_at': 'updated_at is null'
        }) }} as reasons
    from typed
),

final as (
    select
        file_id,
        source_file,
        arrived,
        product_id,
        name,
        category,
        department,
        brand,
        price_decimal as price,
        updated_utc as updated_at,
        updated_utc as version_at,
        reasons,
        case when reasons is not null then {{ raw_text('products') }} end as raw_record
    from with_reasons
)

select * from final
