-- The lake's tables as one script: what an engineer would write for DuckDB by hand, who knows the data and makes
-- everything anew each time. by_hand.py runs it; it attaches the ledger as lake and sets one variable {dataset}_files
-- for each data set, the paths of its sound files.

set preserve_insertion_order = false;
set enable_external_file_cache = false;

create schema curated_db;
create schema analytics_db;

create temp table files as
select
    file_id,
    getvariable('root') || file as path,
    file as source_file,
    arrived,
    checked_at
from lake.curated_db.raw_files;

-- Nearly every time is written like the first pattern, which needs no time zone's arithmetic.
create temp macro to_utc(text) as case
    when regexp_full_match(text, '[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z')
        then try_cast(text as timestamp)
    when regexp_full_match(
        text,
        '([1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?'
    )
        then cast(
            try_cast(
                case
                    when length(text) = 10 or substr(text, 17, 1) = ':' then text
                    else substr(text, 1, 16) || ':00' || substr(text, 17)
                end as timestamp with time zone
            ) at time zone 'UTC' as timestamp
        )
end;

create temp macro to_decimal(text) as
    case when regexp_full_match(text, '[+-]?[0-9]+(\.[0-9]+)?') then try_cast(text as decimal(10, 2)) end;

create temp macro to_integer(text) as
    case when regexp_full_match(text, '[+-]?[0-9]+(\.0+)?') then try_cast(text as integer) end;

-- The first character tells for nearly every key.
create temp macro is_no_key(text) as case
    when text is null or text = '' then true
    when text < '!' then trim(translate(text, chr(9) || chr(10) || chr(13), '   ')) = ''
    when starts_with(text, '{') then ends_with(text, '}')
    when starts_with(text, '[') then ends_with(text, ']')
    else false
end;

create temp macro arrival(source_file) as substr(source_file, greatest(strpos(source_file, 'year='), 1));

-- Lines of at most 2 MiB; the default buffer of 32 MB for each of thousands of small files takes longer than the files.
create temp macro read_lines(paths) as table
select line, filename
from read_csv(
    paths,
    columns = {'line': 'varchar'},
    auto_detect = false,
    header = false,
    delim = e'\x1f\x1e\x1f',
    quote = '',
    escape = '',
    new_line = '\n',
    strict_mode = false,
    filename = true,
    max_line_size = 2097152,
    buffer_size = 4194304
)
where case when left(line, 1) in (' ', e'\t', e'\r', '') then trim(line, e' \t\r') <> '' else true end;

create temp macro more_than_json(line) as
    regexp_matches(regexp_replace(line, '"(\\.|[^"\\])*"', '""', 'g'), '(?i),\s*[}\]]|nan|inf');

create temp macro rewritten_number(line) as
    regexp_matches(regexp_replace(line, '"(\\.|[^"\\])*"', '""', 'g'), '(?i)[0-9]e|[0-9.]{16}|0\.0000');

create temp macro quoted_numbers(line) as translate(
    replace(
        regexp_replace(line, '("(?:\\.|[^"\\])*")|(-?[0-9][-+0-9.eE]*)', e'\\1\x01\\2\x02', 'g'),
        e'\x01\x02', ''
    ),
    e'\x01\x02', '""'
);

-- The line as it can be read: NULL where it is no JSON object, with its numbers in quotes where they would be rewritten.
-- Nearly every line is a flat object of plain values, which one pattern says; only the others are looked at closely.
create temp macro readable(line) as case
    when regexp_full_match(
        line,
        '\{"[a-z_]+":("[^"\\\x00-\x1f]*"|-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?|null|true|false)(,"[a-z_]+":("[^"\\\x00-\x1f]*"|-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?|null|true|false))*\}'
    ) then line
    when not starts_with(ltrim(line, e' \t\r'), '{') then null
    when not json_valid(line) then null
    when not regexp_matches(line, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|0\.0000|,\s*[}\]]|nan|inf') then line
    when more_than_json(line) then null
    when rewritten_number(line) then quoted_numbers(line)
    else line
end;

-- Orders ------------------------------------------------------------------------------------------------------------

create temp table order_rows as
with fields as (
    select
        filename,
        line,
        from_json(
            readable(line),
            '{"order_id":"VARCHAR","customer_id":"VARCHAR","product_id":"VARCHAR","quantity":"VARCHAR","price":"VARCHAR","discount":"VARCHAR","created_at":"VARCHAR","updated_at":"VARCHAR"}'
        ) as raw
    from read_lines(getvariable('orders_files'))
),

typed as (
    select
        filename,
        line,
        raw,
        raw.order_id as order_id,
        case when raw.quantity is null then 0 else to_integer(raw.quantity) end as quantity,
        to_decimal(raw.price) as price,
        case when raw.discount is null then 0 else to_decimal(raw.discount) end as discount,
        to_utc(raw.created_at) as created_at,
        case when raw.updated_at is not null then to_utc(raw.updated_at) end as updated_at
    from fields
),

judged as (
    select
        *,
        cast(price as decimal(18, 2)) * cast(quantity as decimal(18, 0)) - discount as total,
        raw is not null
        and not is_no_key(order_id)
        and quantity is not null
        and price is not null
        and discount is not null
        and created_at is not null
        and (raw.updated_at is null or updated_at is not null)
        and total > 0
        and total < 100000000 as is_sound
    from typed
)

select
    files.file_id,
    order_id,
    nullif(raw.customer_id, '') as customer_id,
    nullif(raw.product_id, '') as product_id,
    quantity,
    price,
    cast(discount as decimal(10, 2)) as discount,
    case when is_sound then cast(total as decimal(10, 2)) else try_cast(total as decimal(10, 2)) end as total,
    created_at,
    updated_at,
    case when not is_sound then concat_ws(
        ',',
        case when raw is null then 'malformed_json' end,
        case when raw is not null and is_no_key(order_id) then 'missing_order_id' end,
        case when quantity is null then 'bad_quantity' end,
        case when raw.price is not null and price is null then 'bad_price' end,
        case when discount is null then 'bad_discount' end,
        case when raw.created_at is not null and created_at is null then 'bad_created_at' end,
        case when raw is not null and raw.created_at is null then 'missing_created_at' end,
        case when raw.updated_at is not null and updated_at is null then 'bad_updated_at' end,
        case when try_cast(total as decimal(10, 2)) is null and total is not null then 'total_out_of_range' end,
        case when total <= 0 then 'total_not_above_zero' end,
        case when raw is not null and raw.price is null then 'missing_price' end
    ) end as reasons,
    case when not is_sound then case when raw.updated_at is null then created_at else updated_at end end as version_at,
    case when not is_sound then line end as raw_record
from judged
inner join files on judged.filename = files.path;

-- Three lines in a hundred repeat an order: only those are put in order, all others stand as they are.
create temp table repeated_orders as
select
    order_id,
    count(*) as copies,
    count(*) filter (where reasons is null) as sound_copies
from order_rows
where order_id is not null
group by order_id
having count(*) > 1;

create table curated_db.orders as
with newest as (
    select * from order_rows
    where reasons is null and order_id not in (select order_id from repeated_orders where sound_copies > 1)
    union all
    select order_rows.*
    from order_rows
    inner join files on order_rows.file_id = files.file_id
    where reasons is null and order_id in (select order_id from repeated_orders where sound_copies > 1)
    qualify row_number() over (
        partition by order_id
        order by
            coalesce(updated_at, created_at) desc,
            files.arrived desc,
            files.source_file desc,
            price desc,
            quantity desc,
            discount desc,
            customer_id desc,
            product_id desc,
            created_at desc,
            updated_at desc
    ) = 1
)

select
    order_id,
    customer_id,
    product_id,
    quantity,
    price,
    discount,
    total,
    cast(created_at as date) as order_date,
    created_at,
    updated_at,
    files.source_file
from newest
inner join files on newest.file_id = files.file_id;

-- Users -------------------------------------------------------------------------------------------------------------

create temp table user_rows as
with fields as (
    select
        filename,
        line,
        from_json(
            readable(line),
            '{"user_id":"VARCHAR","customer_id":"VARCHAR","email":"VARCHAR","phone":"VARCHAR","newsletter":"VARCHAR","created_at":"VARCHAR","updated_at":"VARCHAR"}'
        ) as raw
    from read_lines(getvariable('users_files'))
),

typed as (
    select
        filename,
        line,
        raw,
        case lower(raw.newsletter) when 'true' then true when 'false' then false end as newsletter,
        to_utc(raw.created_at) as created_at,
        to_utc(raw.updated_at) as updated_at
    from fields
)

select
    files.*,
    raw.user_id,
    nullif(raw.customer_id, '') as customer_id,
    raw.email,
    raw.phone,
    newsletter,
    created_at,
    updated_at,
    case when raw.updated_at is null then created_at else updated_at end as version_at,
    nullif(concat_ws(
        ',',
        case when raw is null then 'malformed_json' end,
        case when raw is not null and is_no_key(raw.user_id) then 'missing_user_id' end,
        case when raw.newsletter is not null and newsletter is null then 'bad_newsletter' end,
        case when raw.created_at is not null and created_at is null then 'bad_created_at' end,
        case when raw.updated_at is not null and updated_at is null then 'bad_updated_at' end,
        case when raw is not null and raw.updated_at is null and raw.created_at is null then 'missing_updated_at' end
    ), '') as reasons,
    case when reasons is not null then line end as raw_record
from typed
inner join files on typed.filename = files.path;

create table curated_db.users as
select
    user_id,
    customer_id,
    email,
    phone,
    newsletter,
    created_at,
    updated_at,
    source_file
from user_rows
where reasons is null
qualify row_number() over (
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
) = 1;

-- Products ----------------------------------------------------------------------------------------------------------

create temp table product_rows as
with raw as (
    select *
    from read_csv(
        getvariable('products_files'),
        columns = {
            'product_id': 'varchar',
            'name': 'varchar',
            'category': 'varchar',
            'department': 'varchar',
            'brand': 'varchar',
            'price': 'varchar',
            'updated_at': 'varchar'
        },
        auto_detect = false,
        header = true,
        delim = ',',
        quote = '"',
        escape = '"',
        filename = true,
        max_line_size = 2097152,
        buffer_size = 4194304
    )
),

typed as (
    select
        *,
        to_decimal(price) as price_decimal,
        to_utc(updated_at) as updated_utc,
        nullif(concat_ws(
            ',',
            case when is_no_key(product_id) then 'missing_product_id' end,
            case when price <> '' and (price_decimal is null or price_decimal < 0) then 'bad_price' end,
            case when updated_at <> '' and updated_utc is null then 'bad_updated_at' end,
            case when coalesce(updated_at, '') = '' then 'missing_updated_at' end
        ), '') as reasons
    from raw
)

select
    files.file_id,
    nullif(product_id, '') as product_id,
    nullif(name, '') as name,
    nullif(category, '') as category,
    nullif(department, '') as department,
    nullif(brand, '') as brand,
    price_decimal as price,
    updated_utc as updated_at,
    reasons,
    case when reasons is not null then cast(json_object(
        'product_id', product_id,
        'name', name,
        'category', category,
        'department', department,
        'brand', brand,
        'price', price,
        'updated_at', updated_at
    ) as varchar) end as raw_record
from typed
inner join files on typed.filename = files.path;

-- Each night's file holds every product: only the last moment's rows are put in order.
create table curated_db.products as
with newest as (
    select
        product_id,
        max(updated_at) as updated_at
    from product_rows
    where reasons is null
    group by product_id
)

select
    product_rows.* exclude (file_id, reasons, raw_record),
    files.source_file
from product_rows
inner join newest
    on product_rows.product_id = newest.product_id and product_rows.updated_at = newest.updated_at
inner join files on product_rows.file_id = files.file_id
where product_rows.reasons is null
qualify row_number() over (
    partition by product_rows.product_id
    order by
        files.arrived desc,
        files.source_file desc,
        price desc,
        name desc,
        category desc,
        department desc,
        brand desc
) = 1;

-- Customers ---------------------------------------------------------------------------------------------------------

create temp table customer_rows as
with typed as (
    select
        *,
        coalesce(nullif(op, ''), 'I') as operation,
        case when commit_ts = '' or commit_ts is null then timestamp '0001-01-01' else to_utc(commit_ts) end as version_at,
        nullif(concat_ws(
            ',',
            case when is_no_key(customer_id) then 'missing_customer_id' end,
            case when operation not in ('I', 'U', 'D') then 'bad_op' end,
            case when version_at is null then 'bad_commit_ts' end,
            case when coalesce(commit_ts, '') = '' and operation <> 'I' then 'missing_commit_ts' end
        ), '') as reasons
    from read_parquet(getvariable('customers_files'), union_by_name = true, filename = true)
)

select
    files.*,
    operation,
    version_at,
    nullif(customer_id, '') as customer_id,
    nullif(name, '') as name,
    nullif(segment, '') as segment,
    nullif(region, '') as region,
    nullif(email, '') as email,
    nullif(phone, '') as phone,
    nullif(address, '') as address,
    nullif(age, '') as age,
    nullif(income, '') as income,
    reasons,
    case when reasons is not null then cast(json_object(
        'op', op,
        'commit_ts', commit_ts,
        'customer_id', customer_id,
        'name', name,
        'segment', segment,
        'region', region,
        'email', email,
        'phone', phone,
        'address', address,
        'age', age,
        'income', income
    ) as varchar) end as raw_record
from typed
inner join files on typed.filename = files.path;

create table curated_db.customer_versions as
with changes as (
    select *
    from customer_rows
    where reasons is null
    qualify row_number() over (
        partition by customer_id, version_at
        order by
            arrived desc,
            source_file desc,
            case operation when 'D' then 3 when 'U' then 2 else 1 end desc,
            name desc,
            segment desc,
            region desc,
            email desc,
            phone desc,
            address desc,
            age desc,
            income desc
    ) = 1
)

select
    customer_id,
    version_at,
    lead(version_at) over in_time as next_version_at,
    operation = 'D' as is_delete,
    coalesce(lead(operation) over in_time = 'D', false) as ended_by_delete,
    name,
    segment,
    region,
    email,
    phone,
    address,
    age,
    income,
    source_file
from changes
window in_time as (partition by customer_id order by version_at);

create table curated_db.customers as
select
    customer_id,
    name,
    segment,
    region,
    email,
    phone,
    address,
    age,
    income,
    version_at as updated_at,
    source_file
from curated_db.customer_versions
where next_version_at is null and not is_delete;

-- Events ------------------------------------------------------------------------------------------------------------

create temp table event_rows as
with fields as (
    select
        filename,
        line,
        from_json(
            readable(line),
            '{"event_id":"VARCHAR","customer_id":"VARCHAR","event_type":"VARCHAR","product_id":"VARCHAR","occurred_at":"VARCHAR","session_id":"VARCHAR","properties":"VARCHAR"}'
        ) as raw
    from read_lines(getvariable('api_events_files'))
),

all_events as (
    select
        'events' as dataset,
        filename,
        false as is_malformed,
        '' as nothing, -- In Parquet, an empty text is no value.
        event_id,
        customer_id,
        event_type,
        product_id,
        nullif(occurred_at, '') as occurred_at,
        session_id,
        properties,
        cast(null as varchar) as line
    from read_parquet(getvariable('events_files'), filename = true)
    union all
    select
        'api_events' as dataset,
        filename,
        raw is null as is_malformed,
        null as nothing,
        raw.event_id,
        raw.customer_id,
        raw.event_type,
        raw.product_id,
        raw.occurred_at,
        raw.session_id,
        case
            when regexp_matches(line, '(?i)[0-9]e[-+0-9]|[0-9.]{16}|0\.0000') and rewritten_number(line)
                then json_extract_string(line, '$.properties')
            else raw.properties
        end as properties,
        line
    from fields
),

typed as (
    select
        *,
        to_utc(occurred_at) as occurred_utc,
        case
            when occurred_utc is not null and not is_malformed and not is_no_key(event_id) and not is_no_key(event_type)
                then null
            else concat_ws(
                ',',
                case when is_malformed then 'malformed_json' end,
                case when not is_malformed and is_no_key(event_id) then 'missing_event_id' end,
                case when not is_malformed and is_no_key(event_type) then 'missing_event_type' end,
                case when occurred_at is not null and occurred_utc is null then 'bad_occurred_at' end,
                case when not is_malformed and occurred_at is null then 'missing_occurred_at' end
            )
        end as reasons
    from all_events
)

select
    dataset,
    files.file_id,
    nullif(event_id, nothing) as event_id,
    nullif(customer_id, '') as customer_id,
    nullif(event_type, nothing) as event_type,
    nullif(product_id, '') as product_id,
    occurred_utc as occurred_at,
    nullif(session_id, nothing) as session_id,
    nullif(properties, nothing) as properties,
    reasons,
    case
        when reasons is null then null
        when dataset = 'api_events' then line
        else cast(json_object(
            'event_id', event_id,
            'customer_id', customer_id,
            'event_type', event_type,
            'product_id', product_id,
            'occurred_at', occurred_at,
            'session_id', session_id,
            'properties', properties
        ) as varchar)
    end as raw_record
from typed
inner join files on typed.filename = files.path;

create temp table repeated_events as
select event_id
from event_rows
where reasons is null
group by event_id
having count(*) > 1;

create table curated_db.events as
with newest as (
    select * from event_rows
    where reasons is null and event_id not in (select event_id from repeated_events)
    union all
    select event_rows.*
    from event_rows
    inner join files on event_rows.file_id = files.file_id
    where reasons is null and event_id in (select event_id from repeated_events)
    qualify row_number() over (
        partition by event_id
        order by
            files.arrived desc,
            arrival(files.source_file) desc,
            files.source_file desc,
            occurred_at desc,
            event_type desc,
            customer_id desc,
            product_id desc,
            session_id desc,
            properties desc
    ) = 1
)

select
    event_id,
    case
        when dataset = 'events' then 'events-stream' else regexp_extract(files.source_file, 'source=([^/]+)', 1)
    end as source,
    customer_id,
    event_type,
    product_id,
    occurred_at,
    session_id,
    properties,
    files.source_file
from newest
inner join files on newest.file_id = files.file_id;

-- Quarantine and reconciliation -------------------------------------------------------------------------------------

create table curated_db.quarantine as
with broken as (
    select
        'orders' as dataset,
        rows.order_id as record_key,
        rows.reasons,
        rows.raw_record,
        rows.file_id,
        rows.version_at,
        coalesce(standing.updated_at, standing.created_at) as standing_at,
        standing.source_file as standing_file
    from (from order_rows where reasons is not null) as rows
    left join curated_db.orders as standing on rows.order_id = standing.order_id
    union all
    select
        'users',
        rows.user_id,
        rows.reasons,
        rows.raw_record,
        rows.file_id,
        rows.version_at,
        coalesce(standing.updated_at, standing.created_at),
        standing.source_file
    from (from user_rows where reasons is not null) as rows
    left join curated_db.users as standing on rows.user_id = standing.user_id
    union all
    select
        'products',
        rows.product_id,
        rows.reasons,
        rows.raw_record,
        rows.file_id,
        rows.updated_at,
        standing.updated_at,
        standing.source_file
    from (from product_rows where reasons is not null) as rows
    left join curated_db.products as standing on rows.product_id = standing.product_id
    union all
    select
        'customers',
        rows.customer_id,
        rows.reasons,
        rows.raw_record,
        rows.file_id,
        rows.version_at,
        standing.updated_at,
        standing.source_file
    from (from customer_rows where reasons is not null) as rows
    left join curated_db.customers as standing on rows.customer_id = standing.customer_id
    union all
    select
        rows.dataset,
        rows.event_id,
        rows.reasons,
        rows.raw_record,
        rows.file_id,
        null,
        null,
        standing.source_file
    from (from event_rows where reasons is not null) as rows
    left join curated_db.events as standing on rows.event_id = standing.event_id
)

select
    dataset,
    record_key,
    reasons,
    raw_record,
    files.source_file,
    files.arrived,
    files.checked_at as quarantined_at,
    coalesce(
        case when standing_at <> version_at then standing_at < version_at end,
        arrival(standing_file) < arrival(files.source_file),
        false
    ) as older_version_stands
from broken
inner join files on broken.file_id = files.file_id
union all
select
    dataset,
    null,
    reason,
    null,
    file,
    arrived,
    checked_at,
    false
from lake.curated_db.raw_files
where state = 'broken';

create table curated_db.reconciliation as
with raw as (
    select
        dataset,
        sum("rows") as raw_rows
    from lake.curated_db.raw_files
    where state = 'broken' or dataset not in ('accounts', 'contacts')
    group by dataset
),

quarantined as (
    select
        dataset,
        count(*) as quarantined_rows
    from curated_db.quarantine
    group by dataset
),

explained as (
    select
        'orders' as dataset,
        (select count(*) from curated_db.orders) as curated_rows,
        (select coalesce(sum(sound_copies - 1), 0) from repeated_orders where sound_copies > 1) as superseded_rows,
        0 as deleted_rows
    union all
    select
        'users',
        (select count(*) from curated_db.users),
        count(*) - count(distinct user_id),
        0
    from user_rows
    where reasons is null
    union all
    select
        'products',
        (select count(*) from curated_db.products),
        count(*) - count(distinct product_id),
        0
    from product_rows
    where reasons is null
    union all
    select
        'customers',
        (select count(*) from curated_db.customers),
        (select count(*) from customer_rows where reasons is null)
        - count(*)
        + count(*) filter (where not is_delete and not ended_by_delete and next_version_at is not null),
        count(*) filter (where is_delete or ended_by_delete)
    from curated_db.customer_versions
    union all
    select
        rows.dataset,
        curated.curated_rows,
        rows.sound_rows - curated.curated_rows,
        0
    from (select dataset, count(*) as sound_rows from event_rows where reasons is null group by dataset) as rows
    inner join (
        select
            case when source_file like 'raw/api_events/%' then 'api_events' else 'events' end as dataset,
            count(*) as curated_rows
        from curated_db.events
        group by all
    ) as curated on rows.dataset = curated.dataset
)

select
    *,
    raw_rows - curated_rows - superseded_rows - deleted_rows - quarantined_rows - expired_rows as unexplained_rows
from (
    select
        dataset,
        cast(coalesce(raw_rows, 0) as bigint) as raw_rows,
        cast(coalesce(curated_rows, 0) as bigint) as curated_rows,
        cast(coalesce(superseded_rows, 0) as bigint) as superseded_rows,
        cast(coalesce(deleted_rows, 0) as bigint) as deleted_rows,
        cast(coalesce(quarantined_rows, 0) as bigint) as quarantined_rows,
        cast(0 as bigint) as expired_rows
    from raw
    full outer join explained using (dataset)
    full outer join quarantined using (dataset)
);

-- Star schema -------------------------------------------------------------------------------------------------------

create table analytics_db.dim_date as
select
    cast(strftime(day, '%Y%m%d') as integer) as date_key,
    cast(day as date) as calendar_date,
    cast(year(day) as integer) as calendar_year,
    cast(quarter(day) as integer) as calendar_quarter,
    cast(month(day) as integer) as calendar_month,
    cast(day(day) as integer) as day_of_month,
    cast(isodow(day) as integer) as day_of_week,
    isodow(day) >= 6 as is_weekend
from generate_series(timestamp '2020-01-01', timestamp '2029-12-31', interval 1 day) as days (day)
union all
values (0, null, null, null, null, null, null, null);

create table analytics_db.dim_customer as
select
    customer_id || '-' || version_number as customer_key,
    customer_id,
    segment,
    region,
    age,
    income,
    case when is_first then timestamp '0001-01-01' else version_at end as valid_from,
    next_version_at as valid_to,
    next_version_at is null as is_current
from (
    select
        *,
        row_number() over (partition by customer_id order by version_at) as version_number
    from (
        select *, row_number() over (partition by customer_id order by version_at) = 1 as is_first
        from curated_db.customer_versions
    )
    where not is_delete
)
union all
values ('(unknown)', null, null, null, null, null, timestamp '0001-01-01', null, true);

create table analytics_db.dim_product as
select
    product_id as product_key,
    product_id,
    name,
    category,
    department,
    brand,
    price as list_price
from curated_db.products
union all
values ('(unknown)', null, null, null, null, null, null);

create table analytics_db.fct_orders as
select
    orders.order_id,
    coalesce(dates.date_key, 0) as date_key,
    coalesce(customers.customer_key, '(unknown)') as customer_key,
    coalesce(products.product_key, '(unknown)') as product_key,
    orders.order_date,
    orders.customer_id,
    orders.product_id,
    orders.created_at,
    orders.quantity,
    orders.price,
    orders.discount,
    orders.total
from curated_db.orders as orders
left join (
    select
        customer_key,
        customer_id,
        valid_from,
        coalesce(valid_to, timestamp '9999-12-31') as valid_to
    from analytics_db.dim_customer
) as customers
    on
        orders.customer_id = customers.customer_id
        and orders.created_at >= customers.valid_from
        and orders.created_at < customers.valid_to
left join analytics_db.dim_product as products on orders.product_id = products.product_id
left join analytics_db.dim_date as dates on orders.order_date = dates.calendar_date;

-- Aggregates --------------------------------------------------------------------------------------------------------

create table analytics_db.daily_sales as
select
    order_date,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    cast(sum(quantity) as bigint) as items_sold,
    cast(sum(discount) as decimal(18, 2)) as total_discount,
    cast(sum(total) as decimal(18, 2)) as revenue,
    cast(sum(total) as double) / count(*) as average_order_value
from curated_db.orders
group by order_date;

create table analytics_db.product_metrics as
select
    order_date,
    coalesce(product_id, '(unknown)') as product_id,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    cast(sum(quantity) as bigint) as items_sold,
    cast(sum(discount) as decimal(18, 2)) as total_discount,
    cast(sum(total) as decimal(18, 2)) as revenue
from curated_db.orders
group by all;

create table analytics_db.product_performance as
with sold as (
    select
        product_id,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(items_sold) as bigint) as items_sold,
        cast(sum(total_discount) as decimal(18, 2)) as total_discount,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        count(*) as days_sold,
        min(order_date) as first_sold_on,
        max(order_date) as last_sold_on
    from analytics_db.product_metrics
    group by product_id
)

select
    sold.product_id,
    products.name,
    products.category,
    products.department,
    products.brand,
    products.price as list_price,
    sold.* exclude (product_id)
from sold
left join curated_db.products as products on sold.product_id = products.product_id;

create table analytics_db.customer_360 as
with ordered as (
    select
        customer_id,
        count(*) as order_count,
        sum(total) as total_spent,
        count(distinct order_date) as days_ordered,
        min(order_date) as first_order_on,
        max(order_date) as last_order_on
    from curated_db.orders
    where customer_id is not null
    group by customer_id
),

opted_in as (
    select
        customer_id,
        coalesce(bool_or(newsletter), false) as takes_newsletter
    from curated_db.users
    group by customer_id
),

took_part as (
    select
        customer_id,
        count(*) as event_count,
        count(*) filter (where event_type = 'coupon_redeemed') as coupons_redeemed
    from curated_db.events
    group by customer_id
)

select
    coalesce(customers.customer_id, ordered.customer_id) as customer_id,
    customers.customer_id is not null as is_in_customer_database,
    customers.segment,
    customers.region,
    coalesce(opted_in.takes_newsletter, false) as takes_newsletter,
    coalesce(ordered.order_count, 0) as order_count,
    cast(coalesce(ordered.total_spent, 0) as decimal(18, 2)) as total_spent,
    coalesce(ordered.days_ordered, 0) as days_ordered,
    ordered.first_order_on,
    ordered.last_order_on,
    coalesce(took_part.event_count, 0) as event_count,
    coalesce(took_part.coupons_redeemed, 0) as coupons_redeemed
from curated_db.customers as customers
full outer join ordered on customers.customer_id = ordered.customer_id
left join opted_in on coalesce(customers.customer_id, ordered.customer_id) = opted_in.customer_id
left join took_part on coalesce(customers.customer_id, ordered.customer_id) = took_part.customer_id;

-- Quality -----------------------------------------------------------------------------------------------------------

create temp table repeated_in_curated as
select
    order_id,
    count(*) as copies
from curated_db.orders
group by order_id
having count(*) > 1;

create table analytics_db.quality_results as
with counted as (
    select
        'incoming' as stage,
        count(*) as rows,
        count(order_id) as with_key,
        count(customer_id) as with_customer,
        count(created_at) as with_date,
        count(*) filter (where total > 0) as above_zero,
        (select coalesce(sum(copies), 0) from repeated_orders) as repeated_rows,
        (select count(*) from repeated_orders) as repeated_keys
    from order_rows
    union all
    select
        'curated',
        count(*),
        count(order_id),
        count(customer_id),
        count(order_date),
        count(*) filter (where total > 0),
        (select coalesce(sum(copies), 0) from repeated_in_curated),
        (select count(*) from repeated_in_curated)
    from curated_db.orders
),

-- The five smallest keys of each rule's violations.
examples as (
    select 'incoming' as stage, 'customer_id_is_complete' as rule, min(order_id, 5) as keys
    from order_rows where customer_id is null
    union all
    select 'curated', 'customer_id_is_complete', min(order_id, 5) from curated_db.orders where customer_id is null
    union all
    select 'incoming', 'order_date_looks_like_a_date', min(order_id, 5) from order_rows where created_at is null
    union all
    select 'curated', 'order_date_looks_like_a_date', min(order_id, 5) from curated_db.orders where order_date is null
    union all
    select 'incoming', 'total_is_above_zero', min(order_id, 5) from order_rows where not coalesce(total > 0, false)
    union all
    select 'curated', 'total_is_above_zero', min(order_id, 5)
    from curated_db.orders where not coalesce(total > 0, false)
    union all
    select 'incoming', 'order_id_is_unique', min(order_id, 5) from repeated_orders
    union all
    select 'curated', 'order_id_is_unique', min(order_id, 5) from repeated_in_curated
),

measured as (
    select
        stage,
        unnest([
            {rule: 'customer_id_is_complete', description: 'Nearly every order names its customer.', measured: with_customer / rows, violations: rows - with_customer, threshold: 0.99, above: true},
            {rule: 'has_enough_rows', description: 'There are as many orders as a working source sends.', measured: rows, violations: if(rows > 1000, 0, 1), threshold: 1000, above: true},
            {rule: 'order_date_looks_like_a_date', description: 'Every order_date is written YYYY-MM-DD.', measured: with_date / rows, violations: rows - with_date, threshold: 1, above: false},
            {rule: 'order_id_is_never_null', description: 'Every order has an order_id.', measured: with_key / rows, violations: rows - with_key, threshold: 1, above: false},
            {rule: 'order_id_is_unique', description: 'Nearly every order_id stands in one row only.', measured: (with_key - repeated_rows) / with_key, violations: repeated_keys, threshold: 0.9999, above: true},
            {rule: 'total_is_above_zero', description: 'Every total is above 0.', measured: above_zero / rows, violations: rows - above_zero, threshold: 1, above: false}
        ], recursive := true)
    from counted
)

select
    'orders' as model,
    measured.stage,
    measured.rule,
    measured.description,
    if(above, measured > threshold, measured >= threshold) as passed,
    cast(violations as bigint) as violation_count,
    cast(threshold as double) as threshold,
    cast(measured as double) as measured,
    nullif(array_to_string(examples.keys, ', '), '') as examples,
    (select max(checked_at) from files) as checked_at
from measured
left join examples on measured.stage = examples.stage and measured.rule = examples.rule;
