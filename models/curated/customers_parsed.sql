{{ config(incremental_strategy='append') }}

with raw as (
    {{ raw_records('customers') }}
),

typed as (
    select
        *,
        coalesce(op, 'I') as operation,
        {{ to_utc('commit_ts') }} as committed_at
    from raw
),

with_reasons as (
    select
        *,
        {{ reasons({
            'missing_customer_id': is_no_key('customer_id'),
            'bad_op': "operation not in ('I', 'U', 'D')",
            'bad_commit_ts': 'commit_ts is not null and committed_at is null',
            'missing_commit_ts': "commit_ts is null and operation <> 'I'"
        }) }} as reasons
    from typed
),

final as (
    select
        file_id,
        source_file,
        arrived,
        operation,
        customer_id,
        name,
        segment,
        region,
        email,
        phone,
        address,
        age,
        income,
        -- A full load without a time came before every change.
        case when commit_ts is null then {{ beginning_of_time() }} else committed_at end as version_at,
        reasons,
        case when reasons is not null then {{ raw_text('customers') }} end as raw_record
    from with_reasons
)

select * from final
