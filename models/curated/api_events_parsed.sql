{{ config(incremental_strategy='append') }}

{{ parse_events('api_events') }}
