{{ config(
    unique_key=['stage', 'part', 'tally'],
    meta={'rules_of': 'orders'},
    post_hook=["{{ delete_vanished_tallies() }}", "{{ remember_progress({'orders': 'orders'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

-- What came in is counted once, when it comes; of curated orders the dates that changed.
{% set is_new = in_new_file('orders') | trim if is_incremental() else 'file_id > 0' %}
{% set dates = touched_dates() if is_incremental() %}

with incoming as (
    {{ tally_rules(
        'orders',
        'incoming',
        ref('orders_parsed'),
        key='order_id',
        part="'" ~ is_new ~ "'",
        condition=is_new ~ ' and ' ~ is_taken_by('orders', 'orders'),
        counts={'broken': 'count(reasons)'}
    ) }}
),

curated as (
    {{ tally_rules(
        'orders',
        'curated',
        ref('orders'),
        key='order_id',
        part='cast(order_date as varchar)',
        condition='order_date in (' ~ dates ~ ')' if dates else 'true',
        counts={'versions': 'sum(version_count)'}
    ) }}
),

final as (
    select * from incoming
    union all
    select * from curated
)

select * from final
