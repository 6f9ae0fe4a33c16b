{#- Merge adds and changes rows, it never takes one away. These delete what a model holds no row for any more: a
    later version moved an order to another date, product or customer, a customer was deleted, or a rule was dropped. -#}

{% macro delete_vanished_dates() -%}
    {%- if execute and is_incremental() %}
    {%- set dates = touched_dates() %}
    delete from {{ this }}
    where
        order_date in ({{ dates }})
        and order_date not in (select order_date from {{ ref('orders') }} where order_date in ({{ dates }}))
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_products() -%}
    {%- if execute and is_incremental() %}
    {%- set dates = touched_dates() %}
    delete from {{ this }}
    where
        order_date in ({{ dates }})
        and not exists (
            select 1
            from {{ ref('orders') }} as orders
            where
                orders.order_date in ({{ dates }})
                and orders.order_date = {{ this.identifier }}.order_date
                and coalesce(orders.product_id, {{ unknown_key() }}) = {{ this.identifier }}.product_id
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_customers() -%}
    {%- if execute and is_incremental() %}
    delete from {{ this }}
    where
        customer_id in ({{ touched_keys('customers', 'customer_id') }})
        and customer_id not in (
            select customer_id from {{ ref('customer_versions') }} where next_version_at is null and not is_delete
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_customer_keys() -%}
    {%- if execute and is_incremental() %}
    {%- set touched_customers = touched_keys('customers', 'customer_id') %}
    delete from {{ this }}
    where
        customer_id in ({{ touched_customers }})
        and customer_key not in (
            select {{ customer_key() }}
            from {{ ref('customer_versions') }}
            where not is_delete and customer_id in ({{ touched_customers }})
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_profiles() -%}
    {%- if execute and is_incremental() %}
    {%- set left_database -%}
        select customer_id
        from (
            {{ touched_keys('customers', 'customer_id') }}
            union
            select customer_id from {{ ref('touched_orders') }}
        ) as touched
        where customer_id not in (select customer_id from {{ ref('customers') }})
    {%- endset %}
    delete from {{ this }}
    where
        customer_id in ({{ left_database }})
        and customer_id not in (select customer_id from {{ ref('orders') }} where customer_id in ({{ left_database }}))
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_rules(model_name) -%}
    {%- if execute and is_incremental() %}
    delete from {{ this }}
    where model = '{{ model_name }}' and rule not in ({% for rule in quality_rules(model_name) %}'{{ rule.rule }}', {% endfor %}'')
    {%- endif -%}
{%- endmacro %}
