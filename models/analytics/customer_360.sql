{{ config(
    materialized='incremental',
    unique_key='customer_id',
    post_hook=[
        "{{ delete_vanished_profiles() }}",
        "{{ remember_progress({
            'orders': 'customer_months', 'users': 'users', 'customers': 'customers', 'events': 'events', 'api_events': 'events'
        }) }}"
    ]
) }}
-- depends_on: {{ ref('touched_orders') }}
-- depends_on: {{ ref('users_parsed') }}
-- depends_on: {{ ref('customers_parsed') }}
-- depends_on: {{ ref('events_parsed') }}
-- depends_on: {{ ref('api_events_parsed') }}

with {% if is_incremental() %}touched as (
    {{ touched_profiles() }}
),

{% endif %}customers as (
    select * from {{ ref('customers') }}
    {% if is_incremental() %}
    where customer_id in (select customer_id from touched)
    {% endif %}
),

users as (
    select * from {{ ref('users') }}
    {% if is_incremental() %}
    where customer_id in (select customer_id from touched)
    {% endif %}
),

months as (
    select * from {{ ref('customer_months') }}
    {% if is_incremental() %}
    where customer_id in (select customer_id from touched)
    {% endif %}
),

events as (
    select * from {{ ref('events') }}
    {% if is_incremental() %}
    where customer_id in (select customer_id from touched)
    {% endif %}
),

ordered as (
    select
        customer_id,
        sum(order_count) as order_count,
        sum(total_spent) as total_spent,
        sum(days_ordered) as days_ordered,
        min(first_order_on) as first_order_on,
        max(last_order_on) as last_order_on
    from months
    group by customer_id
),

opted_in as (
    select
        customer_id,
        max(case when newsletter then 1 else 0 end) = 1 as takes_newsletter
    from users
    where customer_id is not null
    group by customer_id
),

took_part as (
    select
        customer_id,
        count(*) as event_count,
        count(case when event_type = 'coupon_redeemed' then 1 end) as coupons_redeemed
    from events
    where customer_id is not null
    group by customer_id
),

known as (
    select customer_id from customers
    union
    select customer_id from ordered
),

final as (
    select
        known.customer_id,
        customers.customer_id is not null as is_in_customer_database,
        customers.segment,
        customers.region,
        coalesce(opted_in.takes_newsletter, false) as takes_newsletter,
        cast(coalesce(ordered.order_count, 0) as bigint) as order_count,
        cast(coalesce(ordered.total_spent, 0) as decimal(18, 2)) as total_spent,
        cast(coalesce(ordered.days_ordered, 0) as bigint) as days_ordered,
        ordered.first_order_on,
        ordered.last_order_on,
        cast(coalesce(took_part.event_count, 0) as bigint) as event_count,
        cast(coalesce(took_part.coupons_redeemed, 0) as bigint) as coupons_redeemed
    from known
    left join customers on known.customer_id = customers.customer_id
    left join ordered on known.customer_id = ordered.customer_id
    left join opted_in on known.customer_id = opted_in.customer_id
    left join took_part on known.customer_id = took_part.customer_id
)

select * from final
