-- The reference query: the 100 customers who spent most in January 2024. It reads only January's partitions.
select
    customer_id,
    sum(total) as total_spent,
    count(*) as order_count
from {{ ref('orders') }}
where order_date between date '2024-01-01' and date '2024-01-31'
group by customer_id
order by total_spent desc, customer_id asc
limit 100
