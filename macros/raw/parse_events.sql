{#- The typed rows of an event data set; both ways in, Firehose and the ingestion API, hold the same columns. -#}
{% macro parse_events(dataset) -%}
with raw as (
    {{ raw_records(dataset) }}
),

typed as (
    select
        *,
        {{ to_utc('occurred_at') }} as occurred_utc
    from raw
),

with_reasons as (
    select
        *,
        {{ reasons({
            'malformed_json': 'is_malformed',
            'missing_event_id': 'not is_malformed and ' ~ is_no_key('event_id'),
            'missing_event_type': 'not is_malformed and ' ~ is_no_key('event_type'),
            'bad_occurred_at': 'occurred_at is not null and occurred_utc is null',
            'missing_occurred_at': 'not is_malformed and occurred_at is null'
        }) }} as reasons
    from typed
),

final as (
    select
        file_id,
        source_file,
        arrived,
        event_id,
        source,
        nullif(customer_id, '') as customer_id,
        event_type,
        nullif(product_id, '') as product_id,
        occurred_utc as occurred_at,
        session_id,
        properties,
        reasons,
        case when reasons is not null then {{ raw_text(dataset) }} end as raw_record
    from with_reasons
)

select * from final
{%- endmacro %}
