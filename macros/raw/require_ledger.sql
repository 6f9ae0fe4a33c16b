{#- Stop with a sentence where `datalake check` has not run on this lake. -#}
{% macro require_ledger() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test') -%}
        {%- set ledger = source('ledger', 'raw_files') -%}
        {%- if adapter.get_relation(ledger.database, ledger.schema, ledger.identifier) is none -%}
            {{ exceptions.raise_compiler_error(
                "This lake has no ledger of raw files (" ~ ledger ~ "). Run `datalake check` first."
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
