-- The rules on orders, measured on what came in (where they say how good the source is) and on curated orders
-- (where they must hold). The tests read this table.
with incoming as (
    {{ measure_rules('orders', 'incoming', ref('orders_parsed'), 'order_id') }}
),

curated as (
    {{ measure_rules('orders', 'curated', ref('orders'), 'order_id') }}
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
