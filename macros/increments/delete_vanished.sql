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

{#- The rows of this model in a span of dates that no row of `source` in that span has the keys of, where orders moved.

    span: a condition on this model; kept_span: the same on `source`, which is called `kept`; keys: by column of this
    model, the expression over `kept` that gives it. -#}
{% macro delete_where_orders_left(span, source, kept_span, keys) -%}
    {%- if orders_moved() %}
    delete from {{ this }}
    where
        {{ span }}
        and not exists (
            select 1
            from {{ source }} as kept
            where
                {{ kept_span }}
                {%- for column, expression in keys.items() %}
                and {{ expression }} = {{ this.identifier }}.{{ column }}
                {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{#- The same on the touched dates of orders; date: this model's expression for one. -#}
{% macro delete_on_touched_dates(date, keys) -%}
    {%- set dates = ' in (' ~ touched_dates() ~ ')' -%}
    {{ delete_where_orders_left(date ~ dates, ref('orders'), 'kept.order_date' ~ dates, keys) }}
{%- endmacro %}

{#- The same in the touched months. -#}
{% macro delete_in_touched_months(source, keys) -%}
    {{ delete_where_orders_left(
        in_touched_months('order_month'),
        source,
        in_touched_months('kept.order_date'),
        dict({'order_month': month_of('kept.order_date')}, **keys)
    ) }}
{%- endmacro %}

{% macro delete_vanished_dates() -%}
    {{ delete_on_touched_dates('order_date', {'order_date': 'kept.order_date'}) }}
{%- endmacro %}

{% macro delete_vanished_products() -%}
    {{ delete_on_touched_dates(
        'order_date', {'order_date': 'kept.order_date', 'product_id': 'coalesce(kept.product_id, ' ~ unknown_key() ~ ')'}
    ) }}
{%- endmacro %}

{% macro delete_vanished_tallies() -%}
    {{ delete_on_touched_dates("stage = 'curated' and try_cast(part as date)", {'part': 'cast(kept.order_date as varchar)'}) }}
{%- endmacro %}

{% macro delete_vanished_customer_months() -%}
    {{ delete_in_touched_months(ref('orders'), {'customer_id': 'kept.customer_id'}) }}
{%- endmacro %}

{% macro delete_vanished_product_months() -%}
    {{ delete_in_touched_months(ref('product_metrics'), {'product_id': 'kept.product_id'}) }}
{%- endmacro %}

{% macro delete_vanished_product_totals() -%}
    {%- if orders_moved() %}
    delete from {{ this }}
    where
        product_id in ({{ touched_products() }})
        and product_id not in (select product_id from {{ ref('product_months') }})
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
