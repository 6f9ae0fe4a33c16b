-- A fact joins one version of a customer or none: no version begins before the one before it has ended.
{{ after_reconciliation() }}
with versions as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by valid_from) as next_valid_from
    from {{ ref('dim_customer') }}
)

select *
from versions
where valid_to <= valid_from or next_valid_from < valid_to or (valid_to is null and next_valid_from is not null)
