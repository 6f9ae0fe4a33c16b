{{ config(incremental_strategy='append') }}

{{ parse_events('events') }}
