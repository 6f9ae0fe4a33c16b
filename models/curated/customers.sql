{{ config(
    unique_key='customer_id',
    post_hook=["{{ delete_vanished_customers() }}", "{{ remember_progress({'customers': 'customer_versions'}) }}"]
) }}
-- depends_on: {{ ref('customers_parsed') }}

with versions as (
    select * from {{ ref('customer_versions') }}
    where {{ is_touched('customers', 'customer_id') }}
),

final as (
    select
        customer_id,
        name,
        segment,
        region,
        email,
        phone,
        address,
        age,
        income,
        version_at as updated_at,
        file_id,
        source_file
    from versions
    where next_version_at is null and not is_delete
)

select * from final
