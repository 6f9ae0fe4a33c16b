-- The lake's tables for Spark. spark.py splits this at the lines `--> name`: each query becomes the table of that name,
-- written as Parquet under schema.name, or a temporary view where the name has no schema; `cached` keeps its rows.
-- The views orders_lines, users_lines, api_events_lines (value, source_file, arrived), products_raw, customers_raw,
-- events_raw (the columns as they came, source_file, arrived) and raw_files (the ledger) are there already.

--> order_rows cached
with fields as (
    select
        source_file,
        arrived,
        value as line,
        read_json(value, 'order_id string, customer_id string, product_id string, quantity string, price string, discount string, created_at string, updated_at string, _corrupt_record string') as raw
    from orders_lines
),
typed as (
    select
        *,
        is_malformed(line, raw) as is_malformed,
        case when raw.quantity is null then 0 else to_integer(raw.quantity) end as quantity,
        to_decimal(raw.price) as price,
        case when raw.discount is null then 0 else to_decimal(raw.discount) end as discount,
        to_utc(raw.created_at) as created_at,
        to_utc(raw.updated_at) as updated_at
    from fields
),
with_total as (
    select
        *,
        cast(price as decimal(18, 2)) * cast(quantity as decimal(18, 0)) - cast(discount as decimal(10, 2)) as total
    from typed
),
with_reasons as (
    select
        *,
        nullif(concat_ws(',',
            case when is_malformed then 'malformed_json' end,
            case when not is_malformed and is_no_key(raw.order_id) then 'missing_order_id' end,
            case when quantity is null then 'bad_quantity' end,
            case when raw.price is not null and price is null then 'bad_price' end,
            case when discount is null then 'bad_discount' end,
            case when raw.created_at is not null and created_at is null then 'bad_created_at' end,
            case when not is_malformed and raw.created_at is null then 'missing_created_at' end,
            case when raw.updated_at is not null and updated_at is null then 'bad_updated_at' end,
            case when total is not null and try_decimal(total) is null then 'total_out_of_range' end,
            case when total <= 0 then 'total_not_above_zero' end,
            case when not is_malformed and raw.price is null then 'missing_price' end
        ), '') as reasons
    from with_total
)
select
    source_file,
    arrived,
    raw.order_id as order_id,
    nullif(raw.customer_id, '') as customer_id,
    nullif(raw.product_id, '') as product_id,
    quantity,
    price,
    cast(discount as decimal(10, 2)) as discount,
    try_decimal(total) as total,
    created_at,
    updated_at,
    case when raw.updated_at is null then created_at else updated_at end as version_at,
    reasons,
    case when reasons is not null then line end as raw_record
from with_reasons

--> curated_db.orders
select
    order_id, customer_id, product_id, quantity, price, discount, total,
    cast(created_at as date) as order_date, created_at, updated_at, source_file
from (
    select
        *,
        row_number() over (
            partition by order_id
            order by
                version_at desc, arrived desc, source_file desc, price desc, quantity desc, discount desc,
                customer_id desc, product_id desc, created_at desc, updated_at desc
        ) as recency
    from order_rows
    where reasons is null
)
where recency = 1

--> user_rows cached
with fields as (
    select
        source_file,
        arrived,
        value as line,
        read_json(value, 'user_id string, customer_id string, email string, phone string, newsletter string, created_at string, updated_at string, _corrupt_record string') as raw
    from users_lines
),
typed as (
    select
        *,
        is_malformed(line, raw) as is_malformed,
        case lower(raw.newsletter) when 'true' then true when 'false' then false end as newsletter,
        to_utc(raw.created_at) as created_at,
        to_utc(raw.updated_at) as updated_at
    from fields
),
with_reasons as (
    select
        *,
        nullif(concat_ws(',',
            case when is_malformed then 'malformed_json' end,
            case when not is_malformed and is_no_key(raw.user_id) then 'missing_user_id' end,
            case when raw.newsletter is not null and newsletter is null then 'bad_newsletter' end,
            case when raw.created_at is not null and created_at is null then 'bad_created_at' end,
            case when raw.updated_at is not null and updated_at is null then 'bad_updated_at' end,
            case when not is_malformed and raw.updated_at is null and raw.created_at is null then 'missing_updated_at' end
        ), '') as reasons
    from typed
)
select
    source_file,
    arrived,
    raw.user_id as user_id,
    nullif(raw.customer_id, '') as customer_id,
    raw.email as email,
    raw.phone as phone,
    newsletter,
    created_at,
    updated_at,
    case when raw.updated_at is null then created_at else updated_at end as version_at,
    reasons,
    case when reasons is not null then line end as raw_record
from with_reasons

--> curated_db.users
select user_id, customer_id, email, phone, newsletter, created_at, updated_at, source_file
from (
    select
        *,
        row_number() over (
            partition by user_id
            order by
                version_at desc, arrived desc, source_file desc, customer_id desc, email desc, phone desc,
                newsletter desc, created_at desc, updated_at desc
        ) as recency
    from user_rows
    where reasons is null
)
where recency = 1

--> product_rows cached
with typed as (
    select
        *,
        to_decimal(price) as price_decimal,
        to_utc(updated_at) as updated_utc
    from products_raw
),
with_reasons as (
    select
        *,
        nullif(concat_ws(',',
            case when is_no_key(product_id) then 'missing_product_id' end,
            case when price is not null and (price_decimal is null or price_decimal < 0) then 'bad_price' end,
            case when updated_at is not null and updated_utc is null then 'bad_updated_at' end,
            case when updated_at is null then 'missing_updated_at' end
        ), '') as reasons
    from typed
)
select
    source_file, arrived, product_id, name, category, department, brand,
    price_decimal as price,
    updated_utc as updated_at,
    reasons,
    case when reasons is not null then as_json(product_id, name, category, department, brand, price, updated_at) end as raw_record
from with_reasons

--> curated_db.products
select product_id, name, category, department, brand, price, updated_at, source_file
from (
    select
        *,
        row_number() over (
            partition by product_id
            order by
                updated_at desc, arrived desc, source_file desc, price desc, name desc, category desc,
                department desc, brand desc
        ) as recency
    from product_rows
    where reasons is null
)
where recency = 1

--> customer_rows cached
with typed as (
    select
        *,
        coalesce(nullif(op, ''), 'I') as operation,
        to_utc(nullif(commit_ts, '')) as committed_at
    from customers_raw
),
with_reasons as (
    select
        *,
        nullif(concat_ws(',',
            case when is_no_key(customer_id) then 'missing_customer_id' end,
            case when operation not in ('I', 'U', 'D') then 'bad_op' end,
            case when nullif(commit_ts, '') is not null and committed_at is null then 'bad_commit_ts' end,
            case when nullif(commit_ts, '') is null and operation <> 'I' then 'missing_commit_ts' end
        ), '') as reasons
    from typed
)
select
    source_file, arrived, operation,
    nullif(customer_id, '') as customer_id,
    nullif(name, '') as name,
    nullif(segment, '') as segment,
    nullif(region, '') as region,
    nullif(email, '') as email,
    nullif(phone, '') as phone,
    nullif(address, '') as address,
    nullif(age, '') as age,
    nullif(income, '') as income,
    case when nullif(commit_ts, '') is null then timestamp '0001-01-01 00:00:00' else committed_at end as version_at,
    reasons,
    case
        when reasons is not null
            then as_json(op, commit_ts, customer_id, name, segment, region, email, phone, address, age, income)
    end as raw_record
from with_reasons

--> curated_db.customer_versions
select
    customer_id,
    version_at,
    lead(version_at) over (partition by customer_id order by version_at) as next_version_at,
    operation = 'D' as is_delete,
    coalesce(lead(operation) over (partition by customer_id order by version_at) = 'D', false) as ended_by_delete,
    name, segment, region, email, phone, address, age, income, source_file
from (
    select
        *,
        row_number() over (
            partition by customer_id, version_at
            order by
                arrived desc, source_file desc,
                case operation when 'D' then 3 when 'U' then 2 else 1 end desc,
                name desc, segment desc, region desc, email desc, phone desc, address desc, age desc, income desc
        ) as recency
    from customer_rows
    where reasons is null
)
where recency = 1

--> curated_db.customers
select
    customer_id, name, segment, region, email, phone, address, age, income, version_at as updated_at, source_file
from curated_db_customer_versions
where next_version_at is null and not is_delete

--> event_rows cached
with fields as (
    select
        source_file,
        arrived,
        value as line,
        read_json(value, 'event_id string, customer_id string, event_type string, product_id string, occurred_at string, session_id string, properties string, _corrupt_record string') as raw
    from api_events_lines
),
all_events as (
    select
        'events' as dataset, source_file, arrived, false as is_malformed,
        nullif(event_id, '') as event_id,
        nullif(customer_id, '') as customer_id,
        nullif(event_type, '') as event_type,
        nullif(product_id, '') as product_id,
        nullif(occurred_at, '') as occurred_at,
        nullif(session_id, '') as session_id,
        nullif(properties, '') as properties,
        as_json(event_id, customer_id, event_type, product_id, occurred_at, session_id, properties) as record
    from events_raw
    union all
    select
        'api_events', source_file, arrived, is_malformed(line, raw),
        raw.event_id,
        nullif(raw.customer_id, ''),
        raw.event_type,
        nullif(raw.product_id, ''),
        raw.occurred_at,
        raw.session_id,
        raw.properties,
        line
    from fields
),
typed as (
    select *, to_utc(occurred_at) as occurred_utc from all_events
),
with_reasons as (
    select
        *,
        nullif(concat_ws(',',
            case when is_malformed then 'malformed_json' end,
            case when not is_malformed and is_no_key(event_id) then 'missing_event_id' end,
            case when not is_malformed and is_no_key(event_type) then 'missing_event_type' end,
            case when occurred_at is not null and occurred_utc is null then 'bad_occurred_at' end,
            case when not is_malformed and occurred_at is null then 'missing_occurred_at' end
        ), '') as reasons
    from typed
)
select
    dataset, source_file, arrived, event_id, customer_id, event_type, product_id, occurred_utc as occurred_at,
    session_id, properties, reasons,
    case when reasons is not null then record end as raw_record
from with_reasons

--> curated_db.events
select
    event_id,
    case when dataset = 'events' then 'events-stream' else regexp_extract(source_file, 'source=([^/]+)', 1) end as source,
    customer_id, event_type, product_id, occurred_at, session_id, properties, source_file
from (
    select
        *,
        row_number() over (
            partition by event_id
            order by
                arrived desc, arrival(source_file) desc, source_file desc, occurred_at desc, event_type desc,
                customer_id desc, product_id desc, session_id desc, properties desc
        ) as recency
    from event_rows
    where reasons is null
)
where recency = 1

--> curated_db.quarantine
with broken as (
    select
        'orders' as dataset, broken.order_id as record_key, broken.reasons, broken.raw_record, broken.source_file,
        broken.arrived, broken.version_at, coalesce(standing.updated_at, standing.created_at) as standing_at,
        standing.source_file as standing_file
    from order_rows as broken left join curated_db_orders as standing on broken.order_id = standing.order_id
    where broken.reasons is not null
    union all
    select
        'users', broken.user_id, broken.reasons, broken.raw_record, broken.source_file, broken.arrived,
        broken.version_at, coalesce(standing.updated_at, standing.created_at), standing.source_file
    from user_rows as broken left join curated_db_users as standing on broken.user_id = standing.user_id
    where broken.reasons is not null
    union all
    select
        'products', broken.product_id, broken.reasons, broken.raw_record, broken.source_file, broken.arrived,
        broken.updated_at, standing.updated_at, standing.source_file
    from product_rows as broken left join curated_db_products as standing on broken.product_id = standing.product_id
    where broken.reasons is not null
    union all
    select
        'customers', broken.customer_id, broken.reasons, broken.raw_record, broken.source_file, broken.arrived,
        broken.version_at, standing.updated_at, standing.source_file
    from customer_rows as broken left join curated_db_customers as standing on broken.customer_id = standing.customer_id
    where broken.reasons is not null
    union all
    select
        broken.dataset, broken.event_id, broken.reasons, broken.raw_record, broken.source_file, broken.arrived,
        cast(null as timestamp), cast(null as timestamp), standing.source_file
    from event_rows as broken left join curated_db_events as standing on broken.event_id = standing.event_id
    where broken.reasons is not null
)
select
    broken.dataset, record_key, reasons, raw_record, broken.source_file, broken.arrived,
    raw_files.checked_at as quarantined_at,
    coalesce(
        case when standing_at <> version_at then standing_at < version_at end,
        arrival(standing_file) < arrival(broken.source_file),
        false
    ) as older_version_stands
from broken
inner join raw_files on broken.source_file = raw_files.file
union all
select dataset, null, reason, null, file, arrived, checked_at, false
from raw_files
where state = 'broken'

--> curated_db.reconciliation
with raw as (
    select dataset, sum(rows) as raw_rows
    from raw_files
    where state = 'broken' or dataset not in ('accounts', 'contacts')
    group by dataset
),
quarantined as (
    select dataset, count(*) as quarantined_rows from curated_db_quarantine group by dataset
),
sound as (
    select 'orders' as dataset, count(*) as sound_rows from order_rows where reasons is null
    union all select 'users', count(*) from user_rows where reasons is null
    union all select 'products', count(*) from product_rows where reasons is null
    union all select 'customers', count(*) from customer_rows where reasons is null
    union all select dataset, count(*) from event_rows where reasons is null group by dataset
),
curated as (
    select 'orders' as dataset, count(*) as curated_rows, 0 as deleted_rows from curated_db_orders
    union all select 'users', count(*), 0 from curated_db_users
    union all select 'products', count(*), 0 from curated_db_products
    union all
    select
        'customers',
        count(case when next_version_at is null and not is_delete then 1 end),
        count(case when is_delete or ended_by_delete then 1 end)
    from curated_db_customer_versions
    union all
    select case when source_file like 'raw/api_events/%' then 'api_events' else 'events' end, count(*), 0
    from curated_db_events
    group by 1
),
counted as (
    select
        dataset,
        coalesce(raw_rows, 0) as raw_rows,
        coalesce(curated_rows, 0) as curated_rows,
        coalesce(sound_rows, 0) - coalesce(curated_rows, 0) - coalesce(deleted_rows, 0) as superseded_rows,
        coalesce(deleted_rows, 0) as deleted_rows,
        coalesce(quarantined_rows, 0) as quarantined_rows,
        0 as expired_rows
    from raw
    full outer join quarantined using (dataset)
    full outer join sound using (dataset)
    full outer join curated using (dataset)
)
select
    *, raw_rows - curated_rows - superseded_rows - deleted_rows - quarantined_rows - expired_rows as unexplained_rows
from counted

--> analytics_db.dim_date
select
    cast(date_format(day, 'yyyyMMdd') as int) as date_key,
    day as calendar_date,
    year(day) as calendar_year,
    quarter(day) as calendar_quarter,
    month(day) as calendar_month,
    dayofmonth(day) as day_of_month,
    weekday(day) + 1 as day_of_week,
    weekday(day) >= 5 as is_weekend
from (select explode(sequence(date '2020-01-01', date '2029-12-31')) as day)
union all
select 0, null, null, null, null, null, null, null

--> analytics_db.dim_customer
select
    concat(customer_id, '-', version_number) as customer_key,
    customer_id, segment, region, age, income,
    case when is_first then timestamp '0001-01-01 00:00:00' else version_at end as valid_from,
    next_version_at as valid_to,
    next_version_at is null as is_current
from (
    select *, row_number() over (partition by customer_id order by version_at) as version_number
    from (
        select *, row_number() over (partition by customer_id order by version_at) = 1 as is_first
        from curated_db_customer_versions
    )
    where not is_delete
)
union all
select '(unknown)', null, null, null, null, null, timestamp '0001-01-01 00:00:00', null, true

--> analytics_db.dim_product
select product_id as product_key, product_id, name, category, department, brand, price as list_price
from curated_db_products
union all
select '(unknown)', null, null, null, null, null, null

--> analytics_db.fct_orders
select
    orders.order_id,
    coalesce(dates.date_key, 0) as date_key,
    coalesce(customers.customer_key, '(unknown)') as customer_key,
    coalesce(products.product_key, '(unknown)') as product_key,
    orders.order_date, orders.customer_id, orders.product_id, orders.created_at, orders.quantity, orders.price,
    orders.discount, orders.total
from curated_db_orders as orders
left join analytics_db_dim_customer as customers
    on
        orders.customer_id = customers.customer_id
        and orders.created_at >= customers.valid_from
        and orders.created_at < coalesce(customers.valid_to, timestamp '9999-12-31 00:00:00')
left join analytics_db_dim_product as products on orders.product_id = products.product_id
left join analytics_db_dim_date as dates on orders.order_date = dates.calendar_date

--> analytics_db.daily_sales
select
    order_date,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    sum(quantity) as items_sold,
    cast(sum(discount) as decimal(18, 2)) as total_discount,
    cast(sum(total) as decimal(18, 2)) as revenue,
    cast(sum(total) as double) / count(*) as average_order_value
from curated_db_orders
group by order_date

--> analytics_db.product_metrics
select
    order_date,
    coalesce(product_id, '(unknown)') as product_id,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    sum(quantity) as items_sold,
    cast(sum(discount) as decimal(18, 2)) as total_discount,
    cast(sum(total) as decimal(18, 2)) as revenue
from curated_db_orders
group by order_date, coalesce(product_id, '(unknown)')

--> analytics_db.product_performance
select
    sold.product_id, products.name, products.category, products.department, products.brand,
    products.price as list_price,
    order_count, items_sold, total_discount, revenue, days_sold, first_sold_on, last_sold_on
from (
    select
        product_id,
        sum(order_count) as order_count,
        sum(items_sold) as items_sold,
        cast(sum(total_discount) as decimal(18, 2)) as total_discount,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        count(*) as days_sold,
        min(order_date) as first_sold_on,
        max(order_date) as last_sold_on
    from analytics_db_product_metrics
    group by product_id
) as sold
left join curated_db_products as products on sold.product_id = products.product_id

--> analytics_db.customer_360
with ordered as (
    select
        customer_id,
        count(*) as order_count,
        sum(total) as total_spent,
        count(distinct order_date) as days_ordered,
        min(order_date) as first_order_on,
        max(order_date) as last_order_on
    from curated_db_orders
    where customer_id is not null
    group by customer_id
),
opted_in as (
    select customer_id, coalesce(bool_or(newsletter), false) as takes_newsletter
    from curated_db_users
    group by customer_id
),
took_part as (
    select
        customer_id,
        count(*) as event_count,
        count(case when event_type = 'coupon_redeemed' then 1 end) as coupons_redeemed
    from curated_db_events
    group by customer_id
)
select
    customer_id,
    in_database is not null as is_in_customer_database,
    segment,
    region,
    coalesce(takes_newsletter, false) as takes_newsletter,
    coalesce(order_count, 0) as order_count,
    cast(coalesce(total_spent, 0) as decimal(18, 2)) as total_spent,
    coalesce(days_ordered, 0) as days_ordered,
    first_order_on,
    last_order_on,
    coalesce(event_count, 0) as event_count,
    coalesce(coupons_redeemed, 0) as coupons_redeemed
from (select customer_id, segment, region, true as in_database from curated_db_customers)
full outer join ordered using (customer_id)
left join opted_in using (customer_id)
left join took_part using (customer_id)

--> analytics_db.quality_results
with incoming as (
    select order_id, customer_id, cast(created_at as date) as order_date, total from order_rows
),
rows as (
    select 'incoming' as stage, * from incoming
    union all
    select 'curated', order_id, customer_id, order_date, total from curated_db_orders
),
repeated as (
    select stage, sum(copies) as rows, count(*) as keys, slice(sort_array(collect_list(order_id)), 1, 5) as examples
    from (select stage, order_id, count(*) as copies from rows where order_id is not null group by stage, order_id)
    where copies > 1
    group by stage
),
counted as (
    select
        stage,
        count(*) as rows,
        count(order_id) as with_key,
        count(customer_id) as with_customer,
        count(order_date) as with_date,
        count(case when total > 0 then 1 end) as above_zero,
        slice(sort_array(collect_list(case when customer_id is null then order_id end)), 1, 5) as no_customer,
        slice(sort_array(collect_list(case when order_date is null then order_id end)), 1, 5) as no_date,
        slice(sort_array(collect_list(case when not coalesce(total > 0, false) then order_id end)), 1, 5) as not_above_zero
    from rows
    group by stage
),
measured as (
    select
        counted.stage,
        stack(
            6,
            'customer_id_is_complete', 'Nearly every order names its customer.',
            with_customer / counted.rows, counted.rows - with_customer, 0.99D, true, array_join(no_customer, ', '),
            'has_enough_rows', 'There are as many orders as a working source sends.',
            cast(counted.rows as double), if(counted.rows > 1000, 0L, 1L), 1000D, true, '',
            'order_date_looks_like_a_date', 'Every order_date is written YYYY-MM-DD.',
            with_date / counted.rows, counted.rows - with_date, 1D, false, array_join(no_date, ', '),
            'order_id_is_never_null', 'Every order has an order_id.',
            with_key / counted.rows, counted.rows - with_key, 1D, false, '',
            'order_id_is_unique', 'Nearly every order_id stands in one row only.',
            (with_key - coalesce(repeated.rows, 0L)) / with_key, coalesce(repeated.keys, 0L), 0.9999D, true,
            array_join(repeated.examples, ', '),
            'total_is_above_zero', 'Every total is above 0.',
            above_zero / counted.rows, counted.rows - above_zero, 1D, false, array_join(not_above_zero, ', ')
        ) as (rule, description, measured, violation_count, threshold, above, examples)
    from counted
    left join repeated on counted.stage = repeated.stage
)
select
    'orders' as model, stage, rule, description,
    if(above, measured > threshold, measured >= threshold) as passed,
    violation_count, threshold, measured,
    nullif(examples, '') as examples,
    (select max(checked_at) from raw_files) as checked_at
from measured
