{#- The select list of one entry of the reconciliation: how many raw rows of a data set are explained, and how. -#}
{% macro account_for(dataset, curated='0', superseded='0', deleted='0', quarantined='0') -%}
    {{ dataset }} as dataset,
        cast({{ curated }} as bigint) as curated_rows,
        cast({{ superseded }} as bigint) as superseded_rows,
        cast({{ deleted }} as bigint) as deleted_rows,
        cast({{ quarantined }} as bigint) as quarantined_rows
{%- endmacro %}

{#- Sound rows of a parsed table beyond the first of each key: the versions that a newer one superseded. -#}
{% macro count_superseded(key) -%}
    count(case when reasons is null then 1 end) - count(distinct case when reasons is null then {{ key }} end)
{%- endmacro %}
