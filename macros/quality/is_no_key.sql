{#- Whether a text can't be the key of a row: NULL, nothing but blanks, tabs and line ends, or an object or array. -#}
{% macro is_no_key(text) -%}
    (
        coalesce(trim(translate({{ text }}, chr(9) || chr(10) || chr(13), '   ')), '') = ''
        or substr({{ text }}, 1, 1) || substr({{ text }}, length({{ text }}), 1) in ('{}', '[]')
    )
{%- endmacro %}
