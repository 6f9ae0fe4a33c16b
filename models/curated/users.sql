{{ config(unique_key='user_id', post_hook="{{ remember_progress({'users': 'users_parsed'}) }}") }}

with versions as (
    select * from {{ ref('users_parsed') }}
    where reasons is null and {{ is_touched('users', 'user_id') }}
),

{{ newest_versions('versions', key='user_id', moment='version_at', ties=[
    'arrived',
    'source_file',
    'customer_id',
    'email',
    'phone',
    'newsletter',
    'created_at',
    'updated_at'
]) }},

final as (
    select
        user_id,
        customer_id,
        email,
        phone,
        newsletter,
        created_at,
        updated_at,
        version_count,
        file_id,
        source_file
    from newest
)

select * from final
