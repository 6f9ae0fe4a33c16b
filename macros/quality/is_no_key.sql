{#- Whether a text can't be the key of a row: NULL, nothing but blanks, tabs and line ends, or an object or array.
    The first character tells for nearly every row; the closer look is dear. -#}
{% macro is_no_key(text) -%}
    case
        when {{ text }} is null or {{ text }} = '' then true
        when {{ text }} < '!' then translate({{ text }}, ' ' || chr(9) || chr(10) || chr(13), '') = ''
        when substr({{ text }}, 1, 1) in ('{', '[')
            then substr({{ text }}, 1, 1) || substr({{ text }}, length({{ text }}), 1) in ('{}', '[]')
        else false
    end
{%- endmacro %}
