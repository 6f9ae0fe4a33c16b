{{ config(
    materialized='incremental',
    unique_key=['model', 'stage', 'rule'],
    full_refresh=false,
    post_hook=["{{ delete_vanished_rules('orders') }}", "{{ remember_progress({'orders': 'order_tallies'}) }}"]
) }}
-- depends_on: {{ ref('touched_orders') }}

-- Never dropped, or its readers would lose their grants: a full refresh measures each rule anew.
-- The rules on orders, measured on what came in (where they say how good the source is) and on curated orders
-- (where they must hold). The tests read this table.
with curated_copies as (
    select
        order_id,
        count(*) as copies
    from {{ ref('orders') }}
    {% if held_before('order_id_is_unique') %}
    -- Only an order that a new file brought can stand in two rows now.
    where
        order_date in ({{ touched_dates() }})
        and order_id in (select order_id from {{ ref('touched_orders') }})
    {% endif %}
    group by order_id
),

incoming as (
    {{ measure_rules('orders', 'incoming', ref('order_tallies'), copies={'order_id': ref('repeated_orders')}) }}
),

curated as (
    {{ measure_rules('orders', 'curated', ref('order_tallies'), copies={'order_id': 'curated_copies'}) }}
),

results as (
    select * from incoming
    union all
    select * from curated
),

newest_file as (
    select max(checked_at) as checked_at from {{ source('ledger', 'raw_files') }}
),

final as (
    select
        results.model,
        results.stage,
        results.rule,
        results.description,
        results.passed,
        results.violation_count,
        results.threshold,
        results.measured,
        results.examples,
        newest_file.checked_at
    from results
    cross join newest_file
)

select * from final
