-- One row per order line, with what the star schema knows of it. Nothing personal.
select
    fct_orders.order_id,
    fct_orders.order_date,
    dim_date.calendar_year,
    dim_date.calendar_month,
    dim_date.day_of_week,
    dim_product.product_id,
    dim_product.name as product,
    dim_product.category,
    dim_product.department,
    dim_product.brand,
    dim_customer.customer_id,
    dim_customer.segment,
    dim_customer.region,
    fct_orders.quantity,
    fct_orders.price,
    fct_orders.discount,
    fct_orders.total
from analytics_db.fct_orders
inner join analytics_db.dim_date on fct_orders.date_key = dim_date.date_key
inner join analytics_db.dim_product on fct_orders.product_key = dim_product.product_key
inner join analytics_db.dim_customer on fct_orders.customer_key = dim_customer.customer_key
