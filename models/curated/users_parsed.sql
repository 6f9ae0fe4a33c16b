{{ config(incremental_strategy='append') }}

with raw as (
    {{ raw_records('users') }}
),

typed as (
    select
        *,
        case lower(newsletter) when 'true' then true when 'false' then false end as newsletter_boolean,
        {{ to_utc('created_at') }} as created_utc,
        {{ to_utc('updated_at') }} as updated_utc
    from raw
),

with_reasons as (
    select
        *,
        {{ reasons({
            'malformed_json': 'is_malformed',
            'missing_user_id': 'not is_malformed and ' ~ is_no_key('user_id'),
            'bad_newsletter': 'newsletter is not null and newsletter_boolean is null',
            'bad_created_at': 'created_at is not null and created_utc is null',
            'bad_updated_at': 'updated_at is not null and updated_utc is null',
            'missing_updated_at': 'not is_malformed and updated_at is null and created_at is null'
        }) }} as reasons
    from typed
),

final as (
    select
        file_id,
        source_file,
        arrived,
        user_id,
        nullif(customer_id, '') as customer_id,
        email,
        phone,
        newsletter_boolean as newsletter,
        created_utc as created_at,
        updated_utc as updated_at,
        case when updated_at is null then created_utc else updated_utc end as version_at,
        reasons,
        case when reasons is not null then {{ raw_text('users') }} end as raw_record
    from with_reasons
)

select * from final
