-- Nothing is lost: current + superseded + deleted + quarantined + expired rows are the raw rows.
select *
from {{ ref('reconciliation') }}
where unexplained_rows <> 0
