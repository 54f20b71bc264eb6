/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_base64.h"
#include "commerce_json.h"
#include "commerce_jwt.h"


#define COMMERCE_JWT_TIME_MAX  253402300799     /* the last second of the year 9999 */


typedef struct {
    commerce_str_t  header, payload, signature;
    commerce_str_t  text;                       /* header and payload, with the dot: what is signed */
} commerce_jwt_parts_t;

typedef struct {
    commerce_jwt_alg_t  alg;
    commerce_str_t      kid;                    /* data NULL: none */
} commerce_jwt_header_t;


static commerce_reason_t jwt_check(const commerce_jwt_policy_t *policy, commerce_arena_t *arena, commerce_str_t text,
    commerce_time_t now, commerce_jwt_t *jwt);
static bool jwt_split(commerce_str_t text, commerce_jwt_parts_t *parts);
static commerce_reason_t jwt_object(commerce_arena_t *arena, commerce_str_t part, commerce_json_t **root);
static commerce_reason_t jwt_header(commerce_json_t *root, commerce_jwt_header_t *header);
static bool jwt_named(commerce_json_t *root, const char *word);
static bool jwt_type(commerce_str_t type);
static commerce_reason_t jwt_verify(const commerce_jwt_policy_t *policy, const commerce_jwt_parts_t *parts,
    const commerce_jwt_header_t *header);
static commerce_reason_t jwt_claims(const commerce_jwt_policy_t *policy, commerce_json_t *root, commerce_time_t now,
    commerce_jwt_t *jwt);
static bool jwt_audience(commerce_json_t *root, commerce_str_t audience);
static commerce_reason_t jwt_times(const commerce_jwt_policy_t *policy, commerce_json_t *root, commerce_time_t now,
    commerce_jwt_t *jwt);
static int jwt_time(commerce_json_t *root, const char *pointer, bool up, commerce_time_t *time);
static commerce_reason_t jwt_user(commerce_json_t *root, commerce_str_t claim, commerce_str_t *user);
static int jwt_member(commerce_json_t *root, const char *pointer, commerce_str_t *text);
static bool jwt_text(commerce_json_t *node, commerce_str_t *text);
static bool jwt_begins(commerce_str_t text, const char *word);


commerce_reason_t
commerce_jwt_check(const commerce_jwt_policy_t *policy, commerce_arena_t *arena, commerce_str_t text,
    commerce_time_t now, commerce_jwt_t *jwt)
{
    uint8_t             digest[COMMERCE_JWT_DIGEST];
    commerce_reason_t   reason;

    jwt->user = commerce_string("");

    if (text.len > COMMERCE_JWT_MAX) {
        return COMMERCE_R(JWT_MALFORMED);
    }

    if (policy->memory == NULL) {
        return jwt_check(policy, arena, text, now, jwt);
    }

    if (commerce_jwt_keys_digest(policy->keys, text, digest) != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (commerce_jwt_recall(policy->memory, digest, now, jwt)) {
        jwt->user = commerce_copy(arena, jwt->user);
        return jwt->user.data != NULL ? COMMERCE_R(OK) : COMMERCE_R(INTERNAL);
    }

    reason = jwt_check(policy, arena, text, now, jwt);

    if (reason == COMMERCE_R(OK)) {
        commerce_jwt_remember(policy->memory, digest, jwt);
    }

    return reason;
}


commerce_str_t
commerce_jwt_bearer(commerce_str_t value)
{
    size_t  i;

    i = sizeof("bearer") - 1;

    if (!jwt_begins(value, "bearer") || value.len == i || value.data[i] != ' ') {
        return value;
    }

    while (i < value.len && value.data[i] == ' ') {
        i++;
    }

    return (commerce_str_t) { value.data + i, value.len - i };
}


static commerce_reason_t
jwt_check(const commerce_jwt_policy_t *policy, commerce_arena_t *arena, commerce_str_t text, commerce_time_t now,
    commerce_jwt_t *jwt)
{
    commerce_json_t        *root;
    commerce_reason_t       reason;
    commerce_jwt_parts_t    parts;
    commerce_jwt_header_t   header;

    if (!jwt_split(text, &parts)) {
        return COMMERCE_R(JWT_MALFORMED);
    }

    reason = jwt_object(arena, parts.header, &root);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = jwt_header(root, &header);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = jwt_verify(policy, &parts, &header);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = jwt_object(arena, parts.payload, &root);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    return jwt_claims(policy, root, now, jwt);
}


static bool
jwt_split(commerce_str_t text, commerce_jwt_parts_t *parts)
{
    const char  *first, *second, *end;

    end = text.data + text.len;

    first = text.len != 0 ? memchr(text.data, '.', text.len) : NULL;
    if (first == NULL) {
        return false;
    }

    second = memchr(first + 1, '.', (size_t) (end - first - 1));
    if (second == NULL) {
        return false;
    }

    parts->header = (commerce_str_t) { text.data, (size_t) (first - text.data) };
    parts->payload = (commerce_str_t) { first + 1, (size_t) (second - first - 1) };
    parts->signature = (commerce_str_t) { second + 1, (size_t) (end - second - 1) };
    parts->text = (commerce_str_t) { text.data, (size_t) (second - text.data) };

    /* a third dot is no base64url */

    return parts->header.len != 0 && parts->payload.len != 0 && parts->signature.len != 0;
}


static commerce_reason_t
jwt_object(commerce_arena_t *arena, commerce_str_t part, commerce_json_t **root)
{
    size_t              len;
    uint8_t            *bytes;
    commerce_reason_t   reason;

    bytes = arena->alloc(arena->owner, commerce_base64url_room(part.len));
    if (bytes == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    if (commerce_base64url_decode(part, bytes, &len) != COMMERCE_OK) {
        return COMMERCE_R(JWT_MALFORMED);
    }

    reason = commerce_json_parse(arena, (commerce_str_t) { (char *) bytes, len }, root);

    if (reason == COMMERCE_R(INTERNAL)) {
        return reason;
    }

    return reason == COMMERCE_R(OK) && commerce_json_is_object(*root) ? COMMERCE_R(OK) : COMMERCE_R(JWT_MALFORMED);
}


static commerce_reason_t
jwt_header(commerce_json_t *root, commerce_jwt_header_t *header)
{
    commerce_str_t  alg, type;

    if (jwt_member(root, "/alg", &alg) != COMMERCE_OK
        || jwt_member(root, "/kid", &header->kid) == COMMERCE_ERROR
        || jwt_member(root, "/typ", &type) == COMMERCE_ERROR
        || (type.data != NULL && !jwt_type(type))
        || jwt_named(root, "crit")
        || jwt_named(root, "b64"))
    {
        return COMMERCE_R(JWT_MALFORMED);
    }

    return commerce_jwt_alg_parse(alg, &header->alg) == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(JWT_KEY_UNKNOWN);
}


/* in any case, and whatever its value: null, too */

static bool
jwt_named(commerce_json_t *root, const char *word)
{
    commerce_str_t    name;
    commerce_json_t  *node;

    for (node = commerce_json_first(root); node != NULL; node = commerce_json_next(node)) {
        name = commerce_json_name(node);

        if (name.len == strlen(word) && jwt_begins(name, word)) {
            return true;
        }
    }

    return false;
}


static bool
jwt_type(commerce_str_t type)
{
    size_t  n;

    n = sizeof("application/") - 1;

    if (jwt_begins(type, "application/")) {
        type.data += n;
        type.len -= n;
    }

    return (type.len == 3 && jwt_begins(type, "jwt")) || (type.len == 6 && jwt_begins(type, "at+jwt"));
}


static commerce_reason_t
jwt_verify(const commerce_jwt_policy_t *policy, const commerce_jwt_parts_t *parts, const commerce_jwt_header_t *header)
{
    size_t   len;
    uint8_t  signature[commerce_base64url_room(COMMERCE_JWT_SIGNATURE * 4 / 3 + 4)];

    if (commerce_base64url_room(parts->signature.len) > sizeof(signature)
        || commerce_base64url_decode(parts->signature, signature, &len) != COMMERCE_OK)
    {
        return COMMERCE_R(JWT_MALFORMED);
    }

    return commerce_jwt_keys_verify(policy->keys, header->alg, header->kid, parts->text, signature, len);
}


static commerce_reason_t
jwt_claims(const commerce_jwt_policy_t *policy, commerce_json_t *root, commerce_time_t now, commerce_jwt_t *jwt)
{
    commerce_str_t      issuer;
    commerce_reason_t   reason;

    if (policy->issuer.data != NULL
        && (jwt_member(root, "/iss", &issuer) != COMMERCE_OK || !commerce_equal(issuer, policy->issuer)))
    {
        return COMMERCE_R(JWT_CLAIMS);
    }

    if (!jwt_audience(root, policy->audience)) {
        return COMMERCE_R(JWT_CLAIMS);
    }

    reason = jwt_times(policy, root, now, jwt);

    return reason == COMMERCE_R(OK) ? jwt_user(root, policy->claim, &jwt->user) : reason;
}


static bool
jwt_audience(commerce_json_t *root, commerce_str_t audience)
{
    bool              found;
    commerce_str_t    text;
    commerce_json_t  *node;

    if (commerce_json_find(root, commerce_string("/aud"), &node) != COMMERCE_R(OK)) {
        return false;
    }

    if (node == NULL || audience.data == NULL) {
        return node == NULL && audience.data == NULL;
    }

    if (!commerce_json_is_array(node)) {
        return jwt_text(node, &text) && commerce_equal(text, audience);
    }

    found = false;

    for (node = commerce_json_first(node); node != NULL; node = commerce_json_next(node)) {
        if (!jwt_text(node, &text)) {
            return false;
        }

        found |= commerce_equal(text, audience);
    }

    return found;
}


static commerce_reason_t
jwt_times(const commerce_jwt_policy_t *policy, commerce_json_t *root, commerce_time_t now, commerce_jwt_t *jwt)
{
    int              rc;
    commerce_time_t  end, start;

    rc = jwt_time(root, "/nbf", true, &start);

    if (jwt_time(root, "/exp", false, &end) != COMMERCE_OK || rc == COMMERCE_ERROR) {
        return COMMERCE_R(JWT_CLAIMS);
    }

    jwt->until = end + policy->skew;
    jwt->from = rc == COMMERCE_OK ? start - policy->skew : INT64_MIN;

    if (now >= jwt->until) {
        return COMMERCE_R(JWT_EXPIRED);
    }

    return now < jwt->from ? COMMERCE_R(JWT_NOT_YET) : COMMERCE_R(OK);
}


/* up: part of a second counts as a whole one.  COMMERCE_ABSENT; COMMERCE_ERROR: no time, or there twice */

static int
jwt_time(commerce_json_t *root, const char *pointer, bool up, commerce_time_t *time)
{
    size_t            i;
    uint64_t          seconds;
    commerce_str_t    text, whole;
    commerce_json_t  *node;

    if (commerce_json_find(root, commerce_cstr(pointer), &node) != COMMERCE_R(OK)) {
        return COMMERCE_ERROR;
    }

    if (node == NULL) {
        return COMMERCE_ABSENT;
    }

    if (!commerce_json_is_number(node) || commerce_json_text(node, &text) != COMMERCE_R(OK)) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < text.len && text.data[i] != '.'; i++) { /* void */ }

    whole = (commerce_str_t) { text.data, i };

    if (commerce_parse_uint(whole, COMMERCE_JWT_TIME_MAX, &seconds) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    *time = (commerce_time_t) seconds;

    for (i++; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return COMMERCE_ERROR;              /* an exponent */
        }

        if (text.data[i] != '0' && up) {
            *time = (commerce_time_t) seconds + 1;
        }
    }

    return COMMERCE_OK;
}


static commerce_reason_t
jwt_user(commerce_json_t *root, commerce_str_t claim, commerce_str_t *user)
{
    size_t            i;
    commerce_str_t    text;
    commerce_json_t  *node;

    if (commerce_json_find(root, claim, &node) != COMMERCE_R(OK) || node == NULL
        || commerce_json_text(node, &text) != COMMERCE_R(OK) || !commerce_id_valid(text))
    {
        return COMMERCE_R(JWT_CLAIMS);
    }

    if (commerce_json_is_number(node)) {

        /* 1e3, 1000.0 and 1000 would be three users */

        for (i = 0; i < text.len; i++) {
            if (text.data[i] < '0' || text.data[i] > '9') {
                return COMMERCE_R(JWT_CLAIMS);
            }
        }
    }

    *user = text;

    return COMMERCE_R(OK);
}


/* COMMERCE_OK; COMMERCE_ABSENT: data is NULL; COMMERCE_ERROR: no text, or there twice */

static int
jwt_member(commerce_json_t *root, const char *pointer, commerce_str_t *text)
{
    commerce_json_t  *node;

    text->data = NULL;
    text->len = 0;

    if (commerce_json_find(root, commerce_cstr(pointer), &node) != COMMERCE_R(OK)) {
        return COMMERCE_ERROR;
    }

    if (node == NULL) {
        return COMMERCE_ABSENT;
    }

    return jwt_text(node, text) ? COMMERCE_OK : COMMERCE_ERROR;
}


static bool
jwt_text(commerce_json_t *node, commerce_str_t *text)
{
    return !commerce_json_is_number(node) && commerce_json_text(node, text) == COMMERCE_R(OK);
}


/* with this word of lower case, in any case? */

static bool
jwt_begins(commerce_str_t text, const char *word)
{
    size_t  i;

    for (i = 0; word[i] != '\0'; i++) {

        if (i == text.len || (text.data[i] | (text.data[i] >= 'A' && text.data[i] <= 'Z' ? 0x20 : 0)) != word[i]) {
            return false;
        }
    }

    return true;
}
