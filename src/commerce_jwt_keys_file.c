/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "commerce_base64.h"
#include "commerce_file.h"
#include "commerce_json.h"
#include "commerce_jwt_keys.h"


/* memory that is wiped when it goes: there are secrets in the text's tree, too */
typedef union jwt_block_u  jwt_block_t;

union jwt_block_u {
    struct {
        jwt_block_t  *next;
        size_t        size;
    } head;
    max_align_t       align;
};

typedef struct {
    commerce_arena_t      arena;
    jwt_block_t          *blocks;
    commerce_jwt_keys_t  *keys;
    unsigned              algs;
    bool                  secret;       /* there is one in the file */
} jwt_file_t;


static void *jwt_file_alloc(void *owner, size_t size);
static void jwt_file_free(jwt_file_t *file);
static bool jwt_file_json(commerce_str_t text);
static const char *jwt_file_set(jwt_file_t *file, commerce_str_t text, unsigned *number);
static const char *jwt_file_key(jwt_file_t *file, commerce_json_t *node);
static const char *jwt_file_ours(jwt_file_t *file, commerce_json_t *node, commerce_jwt_alg_t *alg, bool *ours);
static const char *jwt_file_operations(commerce_json_t *node, bool *verifies);
static const char *jwt_file_secret(jwt_file_t *file, commerce_json_t *node, commerce_str_t kid);
static const char *jwt_file_rsa(jwt_file_t *file, commerce_json_t *node, commerce_str_t kid);
static EVP_PKEY *jwt_file_rsa_make(commerce_str_t n, commerce_str_t e);
static int jwt_file_member(commerce_json_t *node, const char *pointer, commerce_str_t *text);
static int jwt_file_bytes(jwt_file_t *file, commerce_json_t *node, const char *pointer, commerce_str_t *bytes);
static const char *jwt_file_pem(jwt_file_t *file, commerce_str_t text);
static unsigned jwt_file_times(commerce_str_t text, const char *word);
static int jwt_file_no_password(char *buffer, int size, int writing, void *data);


static const char  jwt_file_no_memory[] = "too much in it: no memory";


commerce_jwt_keys_t *
commerce_jwt_keys_load(const char *path, unsigned algs, char *error, size_t size)
{
    bool                  secret;
    commerce_file_t       file;
    commerce_jwt_keys_t  *keys;

    if (commerce_file_read(path, COMMERCE_JWT_KEYS_FILE, &file, error, size) != COMMERCE_OK) {
        return NULL;
    }

    keys = commerce_jwt_keys_parse((commerce_str_t) { file.text, file.len }, algs, &secret, error, size);

    if (secret && commerce_file_private(&file, error, size) != COMMERCE_OK) {
        commerce_jwt_keys_free(keys);
        keys = NULL;

    } else if (file.mode & 022) {
        snprintf(error, size, "has mode %04o: whoever may write it can sign anybody in (chmod go-w)", file.mode);
        commerce_jwt_keys_free(keys);
        keys = NULL;
    }

    commerce_file_free(&file);

    return keys;
}


commerce_jwt_keys_t *
commerce_jwt_keys_parse(commerce_str_t text, unsigned algs, bool *secret, char *error, size_t size)
{
    unsigned     number;
    jwt_file_t   file;
    const char  *fault;

    *secret = false;

    memset(&file, 0, sizeof(jwt_file_t));
    file.arena.alloc = jwt_file_alloc;
    file.arena.owner = &file;
    file.algs = algs;

    file.keys = commerce_jwt_keys_create();
    if (file.keys == NULL) {
        snprintf(error, size, "cannot be loaded: no memory, or no SHA-256 in the cryptographic library");
        return NULL;
    }

    number = 0;
    fault = jwt_file_json(text) ? jwt_file_set(&file, text, &number) : jwt_file_pem(&file, text);

    jwt_file_free(&file);
    *secret = file.secret;

    if (fault != NULL && number != 0) {
        snprintf(error, size, "has %s in key number %u", fault, number);

    } else if (fault != NULL) {
        snprintf(error, size, "has %s", fault);

    } else if (commerce_jwt_keys_count(file.keys) == 0) {
        fault = "";
        snprintf(error, size, "has no key that checks %s",
                 algs == COMMERCE_JWT_ANY ? "HS256 or RS256"
                 : algs == 1u << COMMERCE_JWT_HS256 ? "HS256" : "RS256");
    }

    if (fault != NULL) {
        commerce_jwt_keys_free(file.keys);
        return NULL;
    }

    return file.keys;
}


static void *
jwt_file_alloc(void *owner, size_t size)
{
    jwt_file_t   *file = owner;
    jwt_block_t  *block;

    block = malloc(sizeof(jwt_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->head.next = file->blocks;
    block->head.size = size;
    file->blocks = block;

    return block + 1;
}


static void
jwt_file_free(jwt_file_t *file)
{
    jwt_block_t  *block;

    while (file->blocks != NULL) {
        block = file->blocks;
        file->blocks = block->head.next;

        OPENSSL_cleanse(block + 1, block->head.size);
        free(block);
    }
}


static bool
jwt_file_json(commerce_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len && strchr(" \t\r\n", text.data[i]) != NULL && text.data[i] != '\0'; i++) { /* void */ }

    return i < text.len && text.data[i] == '{';
}


/* number: of the key that is wrong, from 1; 0 when it is none of them */

static const char *
jwt_file_set(jwt_file_t *file, commerce_str_t text, unsigned *number)
{
    const char         *fault;
    commerce_json_t    *root, *keys, *node;
    commerce_reason_t   reason;

    reason = commerce_json_parse(&file->arena, text, &root);

    if (reason != COMMERCE_R(OK)) {
        return reason == COMMERCE_R(INTERNAL) ? jwt_file_no_memory : "no JSON in it that can be read";
    }

    if (!commerce_json_is_object(root)
        || commerce_json_find(root, commerce_string("/keys"), &keys) != COMMERCE_R(OK)
        || keys == NULL || !commerce_json_is_array(keys))
    {
        return "no JWK Set in it: {\"keys\":[...]}";
    }

    for (node = commerce_json_first(keys); node != NULL; node = commerce_json_next(node)) {
        (*number)++;

        fault = jwt_file_key(file, node);
        if (fault != NULL) {
            return fault;
        }
    }

    *number = 0;

    return NULL;
}


static const char *
jwt_file_key(jwt_file_t *file, commerce_json_t *node)
{
    int                  rc;
    bool                 ours;
    const char          *fault;
    commerce_str_t       kid;
    commerce_json_t     *member;
    commerce_jwt_alg_t   alg;

    if (!commerce_json_is_object(node)) {
        return "something else where an object should be";
    }

    for (member = commerce_json_first(node); member != NULL; member = commerce_json_next(member)) {
        if (commerce_equal(commerce_json_name(member), commerce_string("k"))
            || commerce_equal(commerce_json_name(member), commerce_string("d")))
        {
            file->secret = true;
        }
    }

    fault = jwt_file_ours(file, node, &alg, &ours);
    if (fault != NULL || !ours) {
        return fault;
    }

    rc = jwt_file_member(node, "/kid", &kid);

    if (rc == COMMERCE_ERROR || (rc == COMMERCE_OK && kid.len == 0)) {
        return "a kid that is no text, empty, or there twice";
    }

    return alg == COMMERCE_JWT_HS256 ? jwt_file_secret(file, node, kid) : jwt_file_rsa(file, node, kid);
}


/* is this a key that checks one of the wanted algorithms? */

static const char *
jwt_file_ours(jwt_file_t *file, commerce_json_t *node, commerce_jwt_alg_t *alg, bool *ours)
{
    int              rc;
    commerce_str_t   text;

    *ours = false;

    if (jwt_file_member(node, "/kty", &text) != COMMERCE_OK) {
        return "no kty, one that is no text, or two";
    }

    if (commerce_equal(text, commerce_string("oct"))) {
        *alg = COMMERCE_JWT_HS256;

    } else if (commerce_equal(text, commerce_string("RSA"))) {
        *alg = COMMERCE_JWT_RS256;

    } else {
        return NULL;
    }

    rc = jwt_file_member(node, "/alg", &text);

    if (rc == COMMERCE_ERROR) {
        return "an alg that is no text, or there twice";
    }

    if ((rc == COMMERCE_OK && !commerce_equal(text, commerce_cstr(commerce_jwt_alg_name(*alg))))
        || !(file->algs & 1u << *alg))
    {
        return NULL;
    }

    rc = jwt_file_member(node, "/use", &text);

    if (rc == COMMERCE_ERROR) {
        return "a use that is no text, or there twice";
    }

    if (rc == COMMERCE_OK && !commerce_equal(text, commerce_string("sig"))) {
        return NULL;
    }

    return jwt_file_operations(node, ours);
}


static const char *
jwt_file_operations(commerce_json_t *node, bool *verifies)
{
    commerce_str_t    text;
    commerce_json_t  *operations;

    if (commerce_json_find(node, commerce_string("/key_ops"), &operations) != COMMERCE_R(OK)
        || (operations != NULL && !commerce_json_is_array(operations)))
    {
        return "key_ops that are no array, or there twice";
    }

    *verifies = operations == NULL;

    if (operations == NULL) {
        return NULL;
    }

    for (node = commerce_json_first(operations); node != NULL; node = commerce_json_next(node)) {

        if (commerce_json_text(node, &text) == COMMERCE_R(OK)
            && commerce_equal(text, commerce_string("verify")))
        {
            *verifies = true;
        }
    }

    return NULL;
}


static const char *
jwt_file_secret(jwt_file_t *file, commerce_json_t *node, commerce_str_t kid)
{
    commerce_str_t  secret;

    if (jwt_file_bytes(file, node, "/k", &secret) != COMMERCE_OK) {
        return "no k in base64url without padding";
    }

    return commerce_jwt_keys_add_secret(file->keys, kid, (const uint8_t *) secret.data, secret.len);
}


static const char *
jwt_file_rsa(jwt_file_t *file, commerce_json_t *node, commerce_str_t kid)
{
    EVP_PKEY         *rsa;
    const char       *fault;
    commerce_str_t    n, e;
    commerce_json_t  *member;

    for (member = commerce_json_first(node); member != NULL; member = commerce_json_next(member)) {
        if (commerce_equal(commerce_json_name(member), commerce_string("d"))) {
            return "a private RSA key: give the public one, n and e alone,";
        }
    }

    if (jwt_file_bytes(file, node, "/n", &n) != COMMERCE_OK || jwt_file_bytes(file, node, "/e", &e) != COMMERCE_OK) {
        return "no n or no e in base64url without padding";
    }

    rsa = jwt_file_rsa_make(n, e);

    if (rsa == NULL) {
        ERR_clear_error();
        return "an RSA key that OpenSSL cannot take";
    }

    fault = commerce_jwt_keys_add_rsa(file->keys, kid, rsa);
    EVP_PKEY_free(rsa);

    return fault;
}


static EVP_PKEY *
jwt_file_rsa_make(commerce_str_t n, commerce_str_t e)
{
    BIGNUM          *modulus, *exponent;
    EVP_PKEY        *rsa;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *build;

    rsa = NULL;
    params = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    build = OSSL_PARAM_BLD_new();
    modulus = BN_bin2bn((const uint8_t *) n.data, (int) n.len, NULL);
    exponent = BN_bin2bn((const uint8_t *) e.data, (int) e.len, NULL);

    if (ctx != NULL && build != NULL && modulus != NULL && exponent != NULL
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(build);
    }

    if (params != NULL
        && (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &rsa, EVP_PKEY_PUBLIC_KEY, params) != 1))
    {
        rsa = NULL;
    }

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    EVP_PKEY_CTX_free(ctx);

    return rsa;
}


/* COMMERCE_OK: a text; COMMERCE_ABSENT: nothing, *text is empty; COMMERCE_ERROR: another type, or twice */

static int
jwt_file_member(commerce_json_t *node, const char *pointer, commerce_str_t *text)
{
    commerce_json_t  *found;

    *text = commerce_string("");

    if (commerce_json_find(node, commerce_cstr(pointer), &found) != COMMERCE_R(OK)) {
        return COMMERCE_ERROR;
    }

    if (found == NULL) {
        return COMMERCE_ABSENT;
    }

    return !commerce_json_is_number(found) && commerce_json_text(found, text) == COMMERCE_R(OK)
           ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
jwt_file_bytes(jwt_file_t *file, commerce_json_t *node, const char *pointer, commerce_str_t *bytes)
{
    uint8_t         *out;
    commerce_str_t   text;

    if (jwt_file_member(node, pointer, &text) != COMMERCE_OK || text.len == 0) {
        return COMMERCE_ERROR;
    }

    out = jwt_file_alloc(file, commerce_base64url_room(text.len));
    if (out == NULL) {
        return COMMERCE_ERROR;
    }

    bytes->data = (char *) out;

    return commerce_base64url_decode(text, out, &bytes->len);
}


static const char *
jwt_file_pem(jwt_file_t *file, commerce_str_t text)
{
    BIO         *bio;
    EVP_PKEY    *rsa;
    const char  *fault;

    if (jwt_file_times(text, "PRIVATE KEY-----")) {
        file->secret = true;
        return "a private key in it: give the public one";
    }

    if (jwt_file_times(text, "-----BEGIN ") == 0) {
        return "neither a JWK Set nor PEM in it";
    }

    if (jwt_file_times(text, "-----BEGIN ") != 1) {
        return "several keys in PEM: they need a JWK Set, where each has its kid";
    }

    if (!(file->algs & 1u << COMMERCE_JWT_RS256)) {
        return NULL;
    }

    bio = BIO_new_mem_buf(text.data, (int) text.len);
    rsa = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, jwt_file_no_password, NULL) : NULL;
    BIO_free(bio);

    if (rsa == NULL) {
        ERR_clear_error();
        return "no public key in its PEM";
    }

    fault = commerce_jwt_keys_add_rsa(file->keys, commerce_string(""), rsa);
    EVP_PKEY_free(rsa);

    return fault;
}


static unsigned
jwt_file_times(commerce_str_t text, const char *word)
{
    size_t    i, len;
    unsigned  n;

    n = 0;
    len = strlen(word);

    for (i = 0; i + len <= text.len; i++) {
        n += memcmp(text.data + i, word, len) == 0;
    }

    return n;
}


/* OpenSSL would ask the terminal */

static int
jwt_file_no_password(char *buffer, int size, int writing, void *data)
{
    (void) buffer;
    (void) size;
    (void) writing;
    (void) data;

    return -1;
}
