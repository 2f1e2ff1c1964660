
/*
 * What the rewrite module's rules of a server or a location would make of the
 * requests of others, when one has come past them.  A rule that depends on
 * nothing but the file's name is the same for all who ask for it.  Reads the
 * compiled codes and runs none of them; what it does not know is no rule.
 */


#include "ngx_http_offload.h"


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_core_loc_conf_t   *clcf;        /* the location of these rules */
    uintptr_t                  *first;
    uintptr_t                  *last;
    uintptr_t                  *value;       /* the last one with variables */
    uintptr_t                  *end;         /* of the last "if", */
    unsigned                    picks:1;     /* which only some get into */
    unsigned                    skips:1;     /* some do not get this far */
} ngx_http_offload_rules_t;


#define ngx_http_offload_words(type)  (sizeof(type) / sizeof(uintptr_t))

#define ngx_http_offload_is(p, f)                                             \
    (*(ngx_http_script_code_pt *) (p) == (f))


static ngx_uint_t ngx_http_offload_rules_code(ngx_http_offload_rules_t *rules,
    uintptr_t *p);
static ngx_uint_t ngx_http_offload_rules_if(ngx_http_offload_rules_t *rules,
    uintptr_t *p);
static ngx_uint_t ngx_http_offload_rules_same(ngx_http_offload_rules_t *rules,
    uintptr_t *p);
static ngx_uint_t ngx_http_offload_rules_exists(
    ngx_http_offload_rules_t *rules, uintptr_t *end);
static ngx_uint_t ngx_http_offload_rules_named(ngx_http_offload_rules_t *rules,
    uintptr_t index);
static ngx_uint_t ngx_http_offload_rules_moves(ngx_http_offload_rules_t *rules,
    void **loc_conf);


/* 1: where this request got past, others may not */

ngx_uint_t
ngx_http_offload_rules(ngx_http_request_t *r, void **loc_conf,
    ngx_array_t *codes)
{
    uintptr_t                 *p;
    ngx_http_offload_rules_t   rules;

    if (codes == NULL) {
        return 0;
    }

    ngx_memzero(&rules, sizeof(ngx_http_offload_rules_t));

    rules.request = r;
    rules.clcf = loc_conf[ngx_http_core_module.ctx_index];
    rules.first = codes->elts;
    rules.last = rules.first + codes->nelts / sizeof(uintptr_t);
    rules.end = rules.first;

    /* codes begin at a word's beginning: other words are none by value */

    for (p = rules.first; p < rules.last; p++) {

        if (ngx_http_offload_rules_code(&rules, p)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_offload_rules_code(ngx_http_offload_rules_t *rules, uintptr_t *p)
{
    ngx_uint_t                     inside;
#if (NGX_PCRE)
    ngx_http_script_regex_code_t  *regex;
#endif

    inside = p < rules->end;

    if (ngx_http_offload_is(p, ngx_http_script_complex_value_code)) {
        rules->value = p;
        return 0;
    }

    if (ngx_http_offload_is(p, ngx_http_script_if_code)) {
        return ngx_http_offload_rules_if(rules, p);
    }

    if (ngx_http_offload_is(p, ngx_http_script_break_code)) {
        rules->skips |= inside && rules->picks;
        return 0;
    }

    /* one outside of any "if" was not come to */

    if (ngx_http_offload_is(p, ngx_http_script_return_code)) {
        return !inside || rules->picks || rules->skips;
    }

#if (NGX_PCRE)

    /* one that all come to looks at the URI alone */

    if (ngx_http_offload_is(p, ngx_http_script_regex_start_code)
        && p + ngx_http_offload_words(ngx_http_script_regex_code_t)
           <= rules->last)
    {
        regex = (ngx_http_script_regex_code_t *) p;

        return regex->uri && ((inside && rules->picks) || rules->skips);
    }

#endif

    return 0;
}


static ngx_uint_t
ngx_http_offload_rules_if(ngx_http_offload_rules_t *rules, uintptr_t *p)
{
    ngx_http_script_if_code_t  *code;

    if (p + ngx_http_offload_words(ngx_http_script_if_code_t) > rules->last) {
        return 0;
    }

    code = (ngx_http_script_if_code_t *) p;

    rules->end = p + code->next / sizeof(uintptr_t);
    rules->picks = !ngx_http_offload_rules_same(rules, p);

    return rules->picks && code->loc_conf
           && ngx_http_offload_rules_moves(rules, code->loc_conf);
}


/* is the condition in front of an "if" the same for all who ask for a file? */

static ngx_uint_t
ngx_http_offload_rules_same(ngx_http_offload_rules_t *rules, uintptr_t *p)
{
    ngx_uint_t                     n, i;
#if (NGX_PCRE)
    ngx_http_script_regex_code_t  *regex;
#endif

    n = p - rules->first;

    i = ngx_http_offload_words(ngx_http_script_file_code_t);

    if (n > i && ngx_http_offload_is(p - i, ngx_http_script_file_code)) {
        return ngx_http_offload_rules_exists(rules, p - i);
    }

    i = 1 + ngx_http_offload_words(ngx_http_script_value_code_t);

    if (n > i
        && (ngx_http_offload_is(p - 1, ngx_http_script_equal_code)
            || ngx_http_offload_is(p - 1, ngx_http_script_not_equal_code))
        && ngx_http_offload_is(p - i, ngx_http_script_value_code))
    {
        p -= i;
        n -= i;
    }

#if (NGX_PCRE)

    i = ngx_http_offload_words(ngx_http_script_regex_code_t);

    if (n > i
        && ngx_http_offload_is(p - i, ngx_http_script_regex_start_code))
    {
        regex = (ngx_http_script_regex_code_t *) (p - i);

        if (regex->test) {
            p -= i;
            n -= i;
        }
    }

#endif

    i = ngx_http_offload_words(ngx_http_script_var_code_t);

    return n >= i
           && ngx_http_offload_is(p - i, ngx_http_script_var_code)
           && ngx_http_offload_rules_named(rules, p[-1]);
}


/* -f and the like: of a path that is made of the same for all */

static ngx_uint_t
ngx_http_offload_rules_exists(ngx_http_offload_rules_t *rules, uintptr_t *end)
{
    uintptr_t                    *p;
    ngx_http_script_copy_code_t  *copy;

    p = rules->value;

    if (p == NULL) {
        return 0;
    }

    p += ngx_http_offload_words(ngx_http_script_complex_value_code_t);

    while (p < end) {

        if (ngx_http_offload_is(p, ngx_http_script_copy_var_code)) {

            if (!ngx_http_offload_rules_named(rules, p[1])) {
                return 0;
            }

            p += ngx_http_offload_words(ngx_http_script_var_code_t);

        } else if (ngx_http_offload_is(p, ngx_http_script_copy_code)) {
            copy = (ngx_http_script_copy_code_t *) p;

            p += ngx_http_offload_words(ngx_http_script_copy_code_t)
                 + (copy->len + sizeof(uintptr_t) - 1) / sizeof(uintptr_t);

        } else {
            break;
        }
    }

    /* later versions have a code at its end, of a word, that 1.22 has not */

    return p == end || p + 1 == end;
}


/*
 * What those who ask for one file at the site's name have in common.  A
 * balancer says how it was asked; the port may be one that few can reach
 */

static ngx_uint_t
ngx_http_offload_rules_named(ngx_http_offload_rules_t *rules, uintptr_t index)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  names[] = {
        ngx_string("document_root"),
        ngx_string("document_uri"),
        ngx_string("host"),
        ngx_string("http_host"),
        ngx_string("http_x_forwarded_proto"),
        ngx_string("https"),
        ngx_string("request_filename"),
        ngx_string("request_method"),
        ngx_string("request_uri"),
        ngx_string("scheme"),
        ngx_string("server_name"),
        ngx_string("uri"),
        ngx_null_string
    };

    cmcf = ngx_http_get_module_main_conf(rules->request, ngx_http_core_module);

    if (index >= cmcf->variables.nelts) {
        return 0;
    }

    v = cmcf->variables.elts;
    name = &v[index].name;

    for (i = 0; names[i].len; i++) {
        if (name->len == names[i].len
            && ngx_strncmp(name->data, names[i].data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* does an "if" lead to other files, or to what is no file? */

static ngx_uint_t
ngx_http_offload_rules_moves(ngx_http_offload_rules_t *rules, void **loc_conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = loc_conf[ngx_http_core_module.ctx_index];

    return clcf->handler != rules->clcf->handler
           || clcf->alias != rules->clcf->alias
           || clcf->root_lengths != rules->clcf->root_lengths
           || clcf->root.len != rules->clcf->root.len
           || ngx_memcmp(clcf->root.data, rules->clcf->root.data,
                         clcf->root.len)
              != 0;
}
