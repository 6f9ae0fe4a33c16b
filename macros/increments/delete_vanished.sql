{#- Merge adds and changes rows, it never takes one away. These delete what the touched dates hold no order for
    any more, since a later version of it moved to another date or product. -#}
{% macro delete_vanished_dates() -%}
    {%- if execute and is_incremental() %}
    delete from {{ this }}
    where
        order_date in ({{ touched_values('orders', 'order_id', 'order_date') }})
        and order_date not in (select order_date from {{ ref('orders') }})
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_products() -%}
    {%- if execute and is_incremental() %}
    delete from {{ this }}
    where
        order_date in ({{ touched_values('orders', 'order_id', 'order_date') }})
        and (order_date, product_id) not in (
            select
                order_date,
                coalesce(product_id, {{ unknown_key() }})
            from {{ ref('orders') }}
            where order_date in ({{ touched_values('orders', 'order_id', 'order_date') }})
        )
    {%- endif -%}
{%- endmacro %}
