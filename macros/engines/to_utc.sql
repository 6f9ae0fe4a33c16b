{#- An ISO 8601 text as a timestamp in UTC, to the microsecond; without an offset it is UTC already. NULL where
    it is none, a day that no calendar has, or not in the years 1000 to 9998 (9999 stands for the end of time). -#}
{% macro to_utc(text) -%}
    {{ return(adapter.dispatch('to_utc')(text)) }}
{%- endmacro %}

{% macro default__to_utc(text) -%}
    {{ return(unsupported('to_utc')) }}
{%- endmacro %}

{#- Nearly every time is written like the first pattern, which needs no time zone's arithmetic. -#}
{% macro duckdb__to_utc(text) -%}
    case
        when regexp_full_match({{ text }}, '[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z')
            then try_cast({{ text }} as timestamp)
        when regexp_full_match({{ text }}, '{{ iso_8601() }}')
            then cast(
                try_cast({{ duckdb_with_seconds(text) }} as timestamp with time zone) at time zone 'UTC' as timestamp
            )
    end
{%- endmacro %}

{#- DuckDB takes an offset only after seconds. -#}
{% macro duckdb_with_seconds(text) -%}
    case
        when length({{ text }}) = 10 or substr({{ text }}, 17, 1) = ':' then {{ text }}
        else substr({{ text }}, 1, 16) || ':00' || substr({{ text }}, 17)
    end
{%- endmacro %}

{#- Trino takes neither a `T` nor an offset, and rounds what it has too many digits of. An offset begins after the minutes. -#}
{% macro athena__to_utc(text) -%}
    {%- set clock = "substr(regexp_extract(" ~ text ~ ", '.{10}[T ]([0-9:.]+)', 1), 1, 15)" -%}
    {%- set offset = "replace(regexp_extract(substr(" ~ text ~ ", 17), '[+-].*'), ':')" -%}
    case
        when {{ matches_pattern(text, iso_8601()) }}
            then date_add(
                'minute',
                coalesce(
                    if(substr({{ offset }}, 1, 1) = '-', 1, -1)
                    * (
                        60 * cast(substr({{ offset }}, 2, 2) as integer)
                        + coalesce(cast(nullif(substr({{ offset }}, 4), '') as integer), 0)
                    ),
                    0
                ),
                try_cast(substr({{ text }}, 1, 10) || coalesce(' ' || {{ clock }}, '') as timestamp(6))
            )
    end
{%- endmacro %}

{#- What a time may look like. -#}
{% macro iso_8601() -%}
    ([1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?
{%- endmacro %}
