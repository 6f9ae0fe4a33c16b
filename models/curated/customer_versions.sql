{{ config(
    unique_key=['customer_id', 'version_at'],
    post_hook="{{ remember_progress({'customers': 'customers_parsed'}) }}"
) }}

-- The change log in order, without repeats: of several changes of a customer committed at the same moment the
-- last to arrive counts.
with changes as (
    select
        *,
        row_number() over (
            partition by customer_id, version_at
            order by
                arrived desc,
                source_file desc,
                -- Of one commit in one file the delete comes last.
                case operation when 'D' then 3 when 'U' then 2 else 1 end desc,
                name desc,
                segment desc,
                region desc,
                email desc,
                phone desc,
                address desc,
                age desc,
                income desc
        ) as recency,
        count(*) over (partition by customer_id, version_at) as change_count
    from {{ ref('customers_parsed') }}
    where reasons is null and {{ is_touched('customers', 'customer_id') }}
),

final as (
    select
        customer_id,
        version_at,
        lead(version_at) over (partition by customer_id order by version_at) as next_version_at,
        cast(
            sum(case operation when 'D' then 0 else 1 end) over (partition by customer_id order by version_at) as bigint
        ) as version_number,
        row_number() over (partition by customer_id order by version_at) = 1 as is_first,
        operation = 'D' as is_delete,
        coalesce(lead(operation) over (partition by customer_id order by version_at) = 'D', false) as ended_by_delete,
        name,
        segment,
        region,
        email,
        phone,
        address,
        age,
        income,
        change_count,
        file_id,
        source_file
    from changes
    where recency = 1
)

select * from final
