{{ config(unique_key='user_id', post_hook="{{ remember_progress({'users': 'users_parsed'}) }}") }}

with versions as (
    select
        *,
        {{ in_new_file('users') }} as is_new
    from {{ ref('users_parsed') }}
    where reasons is null
),

{% if is_incremental() %}
touched as (
    select user_id from versions where is_new group by user_id
),
{% endif %}

ranked as (
    select
        *,
        row_number() over (
            partition by user_id
            order by
                version_at desc,
                arrived desc,
                source_file desc,
                customer_id desc,
                email desc,
                phone desc,
                newsletter desc,
                created_at desc,
                updated_at desc
        ) as recency
    from versions
    {% if is_incremental() %}
    where user_id in (select user_id from touched)
    {% endif %}
),

final as (
    select
        user_id,
        customer_id,
        email,
        phone,
        newsletter,
        created_at,
        updated_at,
        source_file
    from ranked
    where recency = 1
)

select * from final
