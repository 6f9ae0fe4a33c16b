{#- Merge adds and changes rows, it never takes one away. These delete what a model holds no row for any more: a
    later version moved an order to another date, product or customer, a customer was deleted, or a rule was dropped. -#}

{#- Whether an order that new files brought stood under another date, customer or product before. Few runs bring one, and
    only then can a row of an aggregate of orders vanish. -#}
{% macro orders_moved() -%}
    {%- if not (execute and is_incremental()) -%}{{ return(false) }}{%- endif -%}
    {%- set moved -%}
        select order_id from {{ ref('touched_orders') }}
        where reasons is null
        group by order_id
        having
            count(distinct order_date) > 1
            or count(distinct coalesce(customer_id, '')) > 1
            or count(distinct coalesce(product_id, '')) > 1
        limit 1
    {%- endset -%}
    {{ return(once_a_run(moved) | length > 0) }}
{%- endmacro %}

{#- The rows of this model that `condition` picks and no row of `source` has the keys of.

    keys: by column of this model, the expression over `source` (as `kept`) that gives it. -#}
{% macro delete_unless_kept(condition, source, source_condition, keys) -%}
    delete from {{ this }}
    where
        {{ condition }}
        and not exists (
            select 1
            from {{ source }} as kept
            where
                {{ source_condition }}
                {%- for column, expression in keys.items() %}
                and {{ expression }} = {{ this.identifier }}.{{ column }}
                {%- endfor %}
        )
{%- endmacro %}

{% macro delete_vanished_dates() -%}
    {%- if orders_moved() %}
    {%- set dates = touched_dates() %}
    {{ delete_unless_kept(
        'order_date in (' ~ dates ~ ')',
        ref('orders'),
        'kept.order_date in (' ~ dates ~ ')',
        {'order_date': 'kept.order_date'}
    ) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_products() -%}
    {%- if orders_moved() %}
    {%- set dates = touched_dates() %}
    {{ delete_unless_kept(
        'order_date in (' ~ dates ~ ')',
        ref('orders'),
        'kept.order_date in (' ~ dates ~ ')',
        {'order_date': 'kept.order_date', 'product_id': 'coalesce(kept.product_id, ' ~ unknown_key() ~ ')'}
    ) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_tallies() -%}
    {%- if orders_moved() %}
    {%- set dates = touched_dates() %}
    {{ delete_unless_kept(
        "stage = 'curated' and try_cast(part as date) in (" ~ dates ~ ')',
        ref('orders'),
        'kept.order_date in (' ~ dates ~ ')',
        {'part': 'cast(kept.order_date as varchar)'}
    ) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_customer_months() -%}
    {%- if orders_moved() %}
    {{ delete_unless_kept(
        in_touched_months('order_month'),
        ref('orders'),
        in_touched_months('kept.order_date'),
        {'order_month': month_of('kept.order_date'), 'customer_id': 'kept.customer_id'}
    ) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_product_months() -%}
    {%- if orders_moved() %}
    {{ delete_unless_kept(
        in_touched_months('order_month'),
        ref('product_metrics'),
        in_touched_months('kept.order_date'),
        {'order_month': month_of('kept.order_date'), 'product_id': 'kept.product_id'}
    ) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_customers() -%}
    {%- if execute and is_incremental() and has_new_files('customers') %}
    delete from {{ this }}
    where
        customer_id in ({{ touched_keys('customers', 'customer_id') }})
        and customer_id not in (
            select customer_id from {{ ref('customer_versions') }} where next_version_at is null and not is_delete
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_customer_keys() -%}
    {%- if execute and is_incremental() and has_new_files('customers') %}
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
    {%- if execute and is_incremental() and (has_new_files('customers') or orders_moved()) %}
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
        and customer_id not in (
            select customer_id from {{ ref('customer_months') }} where customer_id in ({{ left_database }})
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_vanished_rules(model_name) -%}
    {%- if execute and is_incremental() %}
    delete from {{ this }}
    where model = '{{ model_name }}' and rule not in ({% for rule in quality_rules(model_name) %}'{{ rule.rule }}', {% endfor %}'')
    {%- endif -%}
{%- endmacro %}
