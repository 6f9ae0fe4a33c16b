{#- In an increment, whether a row's key came with files this model has not taken yet; else true. Keys that came through
    `also_through` count too. -#}
{% macro is_touched(dataset, key, also_through=none) -%}
    {%- if not is_incremental() -%}
    true
    {%- elif has_new_files(dataset) or (also_through and has_new_files(also_through)) -%}
    {{ key }} in (
        {{ touched_keys(dataset, key) }}
        {%- if also_through %}
        union all
        {{ touched_keys(also_through, key) }}
        {%- endif %}
    )
    {%- else -%}
    false
    {%- endif -%}
{%- endmacro %}

{#- The keys that came, sound, with files this model has not taken yet. -#}
{% macro touched_keys(dataset, key) -%}
    select {{ key }}
    from {{ ref(dataset ~ '_parsed') }}
    where reasons is null and {{ in_new_file(dataset) }}
{%- endmacro %}

{#- The values of `column` in every sound version, old and new, of those keys: the customers whose rows must be made
    again. Keys that came through `also_through` count too. -#}
{% macro touched_values(dataset, key, column, also_through=none) -%}
    select {{ column }}
    from {{ ref(dataset ~ '_parsed') }}
    where
        reasons is null
        and {{ is_touched(dataset, key, also_through) }}
    group by {{ column }}
{%- endmacro %}

{#- The products of every version, old and new, of the orders that new files brought. -#}
{% macro touched_products() -%}
    select coalesce(product_id, {{ unknown_key() }}) as product_id from {{ ref('touched_orders') }}
{%- endmacro %}

{#- The customers whose orders, accounts, events or own rows changed. -#}
{% macro touched_profiles() -%}
    {{ touched_keys('customers', 'customer_id') }}
    union
    select customer_id from {{ ref('touched_orders') }}
    union
    {{ touched_values('users', 'user_id', 'customer_id') }}
    union
    {{ touched_values('events', 'event_id', 'customer_id', also_through='api_events') }}
    union
    {{ touched_values('api_events', 'event_id', 'customer_id', also_through='events') }}
{%- endmacro %}
