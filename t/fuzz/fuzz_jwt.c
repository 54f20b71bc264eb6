/*
 * Copyright (C) ngx_commerce authors
 *
 * JSON Web Tokens and key files.  The first byte tells what follows: a token as it comes, a header and a payload (a line
 * feed between them) that are signed here, or a key file.
 */

#include "../unit/jwt_kit.h"

static void fuzz_signed(commerce_str_t text);
static void fuzz_keys(commerce_str_t text);
static void fuzz_token(commerce_str_t text, bool forged);
static void fuzz_check(bool good);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const commerce_str_t   secret = { "0123456789abcdef0123456789abcdef", 32 };
static commerce_jwt_policy_t  policy;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    commerce_str_t  text;

    if (policy.keys == NULL) {
        policy.keys = commerce_jwt_keys_create();
        policy.memory = commerce_jwt_memory_create();
        policy.claim = commerce_string("/sub");
        policy.skew = 30;

        fuzz_check(policy.keys != NULL && policy.memory != NULL
                   && commerce_jwt_keys_add_secret(policy.keys, commerce_string(""), (const uint8_t *) secret.data,
                                                   secret.len)
                      == NULL);
    }

    if (size == 0) {
        return 0;
    }

    text = (commerce_str_t) { (const char *) data + 1, size - 1 };

    switch (data[0] % 3) {
    case 0:
        fuzz_token(commerce_jwt_bearer(text), true);
        break;

    case 1:
        fuzz_signed(text);
        break;

    default:
        fuzz_keys(text);
    }

    return 0;
}


static void
fuzz_signed(commerce_str_t text)
{
    char         token[JWT_KIT_SIZE];
    const char  *end;

    end = text.len != 0 ? memchr(text.data, '\n', text.len) : NULL;

    if (text.len > 2048) {
        return;
    }

    if (end == NULL) {
        fuzz_token(jwt_kit_hs256(token, secret, commerce_string("{\"alg\":\"HS256\"}"), text), false);
        return;
    }

    fuzz_token(jwt_kit_hs256(token, secret, (commerce_str_t) { text.data, (size_t) (end - text.data) },
                             (commerce_str_t) { end + 1, text.len - (size_t) (end - text.data) - 1 }),
               false);
}


/* nobody forges one; what is good is usable, and the same when it is remembered */

static void
fuzz_token(commerce_str_t text, bool forged)
{
    commerce_jwt_t      jwt, again;
    commerce_heap_t    *heap;
    commerce_reason_t   reason;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return;
    }

    reason = commerce_jwt_check(&policy, commerce_heap_arena(heap), text, 1800000000, &jwt);
    fuzz_check(reason != COMMERCE_R(INTERNAL));

    if (reason == COMMERCE_R(OK)) {
        fuzz_check(!forged);
        fuzz_check(commerce_id_valid(jwt.user) && jwt.from <= 1800000000 && 1800000000 < jwt.until);
        fuzz_check(commerce_jwt_check(&policy, commerce_heap_arena(heap), text, 1800000000, &again) == reason);
        fuzz_check(commerce_equal(jwt.user, again.user) && jwt.until == again.until);

    } else {
        fuzz_check(jwt.user.len == 0);
    }

    commerce_heap_destroy(heap);
}


static void
fuzz_keys(commerce_str_t text)
{
    bool                  private;
    char                  error[256];
    commerce_jwt_keys_t  *keys;

    keys = commerce_jwt_keys_parse(text, COMMERCE_JWT_ANY, &private, error, sizeof(error));

    fuzz_check(keys == NULL || commerce_jwt_keys_count(keys) != 0);
    commerce_jwt_keys_free(keys);
}


static void
fuzz_check(bool good)
{
    if (!good) {
        abort();
    }
}
