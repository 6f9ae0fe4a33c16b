{{ config(materialized='incremental', unique_key='date_key') }}

with days as (
    {{ dbt.date_spine(
        datepart='day',
        start_date="cast('" ~ var('calendar_start') ~ "' as date)",
        end_date="cast('" ~ var('calendar_end') ~ "' as date)"
    ) }}
),

dates as (
    select cast(date_day as date) as calendar_date from days
    union all
    select cast('{{ var('calendar_end') }}' as date) as calendar_date
),

parts as (
    select
        calendar_date,
        cast(extract(year from calendar_date) as integer) as calendar_year,
        cast(extract(quarter from calendar_date) as integer) as calendar_quarter,
        cast(extract(month from calendar_date) as integer) as calendar_month,
        cast(extract(day from calendar_date) as integer) as day_of_month,
        cast({{ day_of_week('calendar_date') }} as integer) as day_of_week
    from dates
),

known as (
    select
        {{ date_key('calendar_date') }} as date_key,
        calendar_date,
        calendar_year,
        calendar_quarter,
        calendar_month,
        day_of_month,
        day_of_week,
        day_of_week >= 6 as is_weekend
    from parts
),

final as (
    select * from known
    union all
    select
        {{ unknown_date_key() }} as date_key,
        cast(null as date) as calendar_date,
        cast(null as integer) as calendar_year,
        cast(null as integer) as calendar_quarter,
        cast(null as integer) as calendar_month,
        cast(null as integer) as day_of_month,
        cast(null as integer) as day_of_week,
        cast(null as boolean) as is_weekend
)

select * from final
{% if is_incremental() %}
where date_key not in (select known_dates.date_key from {{ this }} as known_dates)
{% endif %}
