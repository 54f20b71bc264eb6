/*
 * Copyright (C) ngx_commerce authors
 *
 * Every verdict carries one of these reason codes.  The table is the public interface of refusals:
 * log, status, headers, problem+json and documentation use the same names, and a released name
 * keeps its meaning.
 *
 *   X(NAME, class, HTTP status of a refusal, public code)
 *
 * class   ok    nothing to say
 *         soft  noted in the log; the request goes on
 *         deny  refused in enforce mode, logged as would_deny in observe mode
 *         hold  accepted, but a person or a policy has to look at it
 * public  what an outsider is told.  "" = the name itself.  Coupons that do not exist and coupons
 *         that are not yours share one public code, status and body, so that guessing learns nothing.
 */

#ifndef COMMERCE_REASON_H
#define COMMERCE_REASON_H

#include "commerce.h"

#define COMMERCE_REASONS(X)                                                     \
    X(OK,                        OK,   200, "")                                 \
    /* who the user is */                                                       \
    X(JWT_MALFORMED,             SOFT, 200, "")                                 \
    X(JWT_KEY_UNKNOWN,           SOFT, 200, "")                                 \
    X(JWT_BAD_SIGNATURE,         SOFT, 200, "")                                 \
    X(JWT_CLAIMS,                SOFT, 200, "")                                 \
    X(JWT_EXPIRED,               SOFT, 200, "")                                 \
    X(JWT_NOT_YET,               SOFT, 200, "")                                 \
    /* attribution and binding */                                               \
    X(ATTR_OK,                   OK,   200, "")                                 \
    X(ATTR_DIRECT,               OK,   200, "")                                 \
    X(ATTR_LOOKBACK_EXCEEDED,    SOFT, 200, "")                                 \
    X(ATTR_ASSIST_ONLY,          OK,   200, "")                                 \
    X(ATTR_LATE_REVISION,        OK,   200, "")                                 \
    X(ATTR_AFTER_FREEZE,         SOFT, 200, "")                                 \
    X(TOKEN_MALFORMED,           SOFT, 200, "")                                 \
    X(TOKEN_BAD_MAC,             SOFT, 200, "")                                 \
    X(TOKEN_EXPIRED,             SOFT, 200, "")                                 \
    X(TOKEN_KID_UNKNOWN,         SOFT, 200, "")                                 \
    X(TOKEN_SCOPE,               SOFT, 200, "")                                 \
    X(TOKEN_DUPLICATE_PARAM,     SOFT, 200, "")                                 \
    X(BIND_NEW,                  OK,   200, "")                                 \
    X(BIND_RENEW,                OK,   200, "")                                 \
    X(BIND_STOLEN,               OK,   200, "")                                 \
    X(BIND_NEW_AFTER_EXPIRY,     OK,   200, "")                                 \
    X(BIND_ORDER_EXTEND,         OK,   200, "")                                 \
    X(BIND_INHERITED,            OK,   200, "")                                 \
    X(BIND_ADMIN,                OK,   200, "")                                 \
    X(BIND_MERGED,               OK,   200, "")                                 \
    X(PROTECT_HOLD,              SOFT, 200, "")                                 \
    X(SNATCH_FORBIDDEN,          SOFT, 200, "")                                 \
    X(NEW_USERS_ONLY,            SOFT, 200, "")                                 \
    X(SELF_BIND,                 SOFT, 200, "")                                 \
    X(KEEP_UPLINE,               SOFT, 200, "")                                 \
    X(SELF_PURCHASE,             SOFT, 200, "")                                 \
    X(OWNER_UNKNOWN,             SOFT, 200, "")                                 \
    X(OWNER_INACTIVE,            SOFT, 200, "")                                 \
    X(OWNER_FROZEN,              SOFT, 200, "")                                 \
    X(TRANSFER_WAIT,             SOFT, 200, "")                                 \
    X(TRANSFER_REFUSED,          SOFT, 200, "")                                 \
    X(TRANSFER_FULL,             SOFT, 200, "")                                 \
    X(MERGE_CONFLICT,            HOLD, 200, "")                                 \
    X(LIVE_ROOM_UNKNOWN,         SOFT, 200, "")                                 \
    X(LIVE_NOT_ATTESTED,         SOFT, 200, "")                                 \
    X(GROUP_UNKNOWN,             SOFT, 200, "")                                 \
    X(CHANNEL_UNKNOWN,           SOFT, 200, "")                                 \
    X(SCENE_NOT_BINDABLE,        SOFT, 200, "")                                 \
    X(CRAWLER,                   DENY, 403, "")                                 \
    X(DEV_VERSION,               DENY, 403, "")                                 \
    X(BOT_SUSPECT,               DENY, 403, "")                                 \
    X(LATE_TOUCH,                SOFT, 200, "")                                 \
    X(TOUCH_FLOOD,               SOFT, 200, "")                                 \
    X(BIND_VELOCITY,             SOFT, 200, "")                                 \
    X(RECIPROCAL,                SOFT, 200, "")                                 \
    X(SHARE_INCENTIVE,           DENY, 403, "")                                 \
    X(USER_NOT_VERIFIED,         DENY, 401, "")                                 \
    X(NOT_A_SELLER,              DENY, 403, "")                                 \
    X(CONTEXT_UNKNOWN,           DENY, 422, "")                                 \
    /* distribution */                                                          \
    X(TIER_DEPTH_EXCEEDED,       DENY, 403, "")                                 \
    X(TIER_SELF,                 DENY, 403, "")                                 \
    X(LINEAGE_LOOP,              DENY, 403, "")                                 \
    X(LINEAGE_TRUNCATED,         SOFT, 200, "")                                 \
    X(LINEAGE_MISMATCH,          SOFT, 200, "")                                 \
    X(LINEAGE_UNKNOWN,           DENY, 403, "")                                 \
    X(TIER_UNVERIFIED,           HOLD, 200, "")                                 \
    X(TIER3_PRESENT,             DENY, 422, "")                                 \
    X(TIER_DUPLICATE_PAYEE,      DENY, 422, "")                                 \
    X(TIER_FROZEN,               DENY, 422, "")                                 \
    X(SPLIT_MALFORMED,           DENY, 422, "")                                 \
    X(SPLIT_TOO_MANY_RECEIVERS,  DENY, 422, "")                                 \
    X(SPLIT_NEGATIVE,            DENY, 422, "")                                 \
    X(SPLIT_OVERFLOW,            DENY, 422, "")                                 \
    X(SPLIT_PAYEE_UNDECLARED,    DENY, 422, "")                                 \
    X(SPLIT_NOT_PAID,            DENY, 409, "")                                 \
    X(SPLIT_AFTER_REFUND,        DENY, 409, "")                                 \
    X(SPLIT_SUM_EXCEEDS_ORDER,   DENY, 422, "")                                 \
    X(SPLIT_SUM_EXCEEDS_CAP,     DENY, 422, "")                                 \
    X(SPLIT_KEY_REUSED,          DENY, 409, "")                                 \
    X(SPLIT_LIMIT,               DENY, 409, "")                                 \
    X(SPLIT_REPLAY,              OK,   200, "")                                 \
    X(ALREADY_JOINED,            DENY, 409, "")                                 \
    X(RECRUIT_VELOCITY,          DENY, 403, "")                                 \
    X(ENTRY_FEE,                 DENY, 403, "")                                 \
    X(PLATFORM_PAYS,             SOFT, 200, "")                                 \
    /* coupon */                                                                \
    X(COUPON_OK,                 OK,   200, "")                                 \
    X(COUPON_NOT_FOUND,          DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_MALFORMED,          DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_BAD_SIGNATURE,      DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_NOT_STARTED,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_EXPIRED,            DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_DISABLED,           DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_VOID,               DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_ALREADY_REDEEMED,   DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_HELD_BY_OTHER_ORDER, DENY, 422, "COUPON_NOT_USABLE")               \
    X(COUPON_HOLDER_MISMATCH,    DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_RESERVATION_LOST,   HOLD, 200, "")                                 \
    X(COUPON_IDEMPOTENT_REPLAY,  OK,   200, "")                                 \
    X(COUPON_TOTAL_LIMIT,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_CUSTOMER_LIMIT,     DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_MIN_SPEND,          DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_SKU_NOT_ELIGIBLE,   DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_CUSTOMER_REQUIRED,  DENY, 401, "")                                 \
    X(COUPON_ORDER_REQUIRED,     DENY, 422, "")                                 \
    X(COUPON_DUPLICATE,          DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_STACK_LIMIT,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_UNKNOWN_RESULT,     HOLD, 200, "")                                 \
    X(COUPON_UPSTREAM_REJECTED,  SOFT, 200, "")                                 \
    X(BUDGET_EXCEEDED_BY_NOTICE, HOLD, 200, "")                                 \
    X(COUPON_DAILY_LIMIT,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_CUSTOMER_DAILY_LIMIT, DENY, 422, "COUPON_NOT_USABLE")              \
    X(COUPON_GROUP_LIMIT,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_SELLER_LIMIT,       DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_BUDGET_EXHAUSTED,   DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_MIN_QTY,            DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_STORE_NOT_ELIGIBLE, DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_MEMBER_LEVEL,       DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_NEW_CUSTOMER_ONLY,  DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_CHANNEL_NOT_ELIGIBLE, DENY, 422, "COUPON_NOT_USABLE")              \
    X(COUPON_LIVE_ROOM_ONLY,     DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_GROUP_NOT_ELIGIBLE, DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_SELLER_NOT_ELIGIBLE, DENY, 422, "COUPON_NOT_USABLE")               \
    X(COUPON_DAY_NOT_ELIGIBLE,   DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_NOT_STACKABLE,      DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_STOCK_EMPTY,        DENY, 409, "")                                 \
    X(COUPON_KEY_MISMATCH,       DENY, 409, "")                                 \
    X(COUPON_QR_REQUIRED,        DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_QR_EXPIRED,         DENY, 422, "COUPON_NOT_USABLE")                \
    X(COUPON_VERIFIER_NOT_ALLOWED, DENY, 403, "")                               \
    X(COUPON_VERIFIER_STORE_MISMATCH, DENY, 403, "")                            \
    X(COUPON_VERIFIER_IS_SELLER, SOFT, 200, "")                                 \
    X(COUPON_ROLLBACK_WINDOW,    DENY, 409, "")                                 \
    X(COUPON_ROLLBACK_CYCLES,    DENY, 409, "")                                 \
    X(COUPON_ALREADY_ROLLED_BACK, DENY, 409, "")                                \
    X(COUPON_IN_DOUBT,           DENY, 409, "")                                 \
    /* too many wrong codes */                                                  \
    X(RATE_USER,                 DENY, 429, "TOO_MANY_TRIES")                   \
    X(RATE_SESSION,              DENY, 429, "TOO_MANY_TRIES")                   \
    X(RATE_IP,                   DENY, 429, "TOO_MANY_TRIES")                   \
    X(RATE_PREFIX,               DENY, 429, "TOO_MANY_TRIES")                   \
    X(GLOBAL_BREAKER,            DENY, 429, "TOO_MANY_TRIES")                   \
    /* orders */                                                                \
    X(ORDER_KEY_REUSED,          DENY, 409, "")                                 \
    X(ORDER_IN_FLIGHT,           DENY, 409, "")                                 \
    X(ORDER_KEY_MALFORMED,       DENY, 422, "")                                 \
    X(ORDER_MALFORMED,           DENY, 422, "")                                 \
    X(ORDER_UNKNOWN,             HOLD, 202, "")                                 \
    X(ORDER_NOT_FOUND,           DENY, 404, "")                                 \
    X(ORDER_CLOSED,              HOLD, 409, "")                                 \
    X(ORDER_REPLAY,              OK,   200, "")                                 \
    X(ORDER_DEADLINE,            SOFT, 200, "")                                 \
    X(AMOUNT_MISMATCH,           HOLD, 200, "")                                 \
    X(AMOUNT_ROUNDED,            SOFT, 200, "")                                 \
    X(ORDER_NOT_PAID,            HOLD, 202, "")                                 \
    X(ORDER_AMBIGUOUS,           DENY, 409, "")                                 \
    X(PAYMENT_PARTIAL,           HOLD, 200, "")                                 \
    X(PAYMENT_EXCESS,            HOLD, 200, "")                                 \
    X(TRANSACTION_REUSED,        DENY, 409, "")                                 \
    X(REFUND_KEY_REUSED,         DENY, 409, "")                                 \
    X(REFUND_EXCEEDS_ORDER,      DENY, 409, "")                                 \
    X(REFUND_AFTER_SETTLE,       HOLD, 200, "")                                 \
    X(NOTICE_LIMIT,              DENY, 409, "")                                 \
    X(NOTICE_BAD_SIGNATURE,      DENY, 401, "")                                 \
    X(CLOCK_SKEW,                DENY, 401, "")                                 \
    /* requests that cannot be read for certain */                              \
    X(BODY_TYPE,                 DENY, 415, "")                                 \
    X(BODY_TOO_LARGE,            DENY, 413, "")                                 \
    X(BODY_MALFORMED,            DENY, 422, "")                                 \
    X(BODY_DUPLICATE_MEMBER,     DENY, 422, "")                                 \
    X(GUARD_REFUSED,             DENY, 403, "")                                 \
    X(METHOD_NOT_ALLOWED,        DENY, 405, "")                                 \
    X(SUBREQUEST_REFUSED,        DENY, 403, "")                                 \
    /* the directory's API */                                                   \
    X(ADMIN_NOT_LOCAL,           DENY, 403, "")                                 \
    X(DIRECTORY_UNKNOWN,         DENY, 404, "")                                 \
    X(DIRECTORY_KEPT,            DENY, 405, "")                                 \
    X(DIRECTORY_CHANGED,         DENY, 412, "")                                 \
    X(DIRECTORY_REFUSED,         DENY, 422, "")                                 \
    X(DIRECTORY_UNCONDITIONAL,   DENY, 428, "")                                 \
    /* the store */                                                             \
    X(STORE_UNAVAILABLE,         DENY, 503, "")                                 \
    X(STORE_UNKNOWN,             DENY, 503, "")                                 \
    X(STORE_UPGRADING,           DENY, 503, "")                                 \
    X(INTERNAL,                  DENY, 500, "")

typedef enum {
#define COMMERCE_REASON_ENUM(name, class, status, public)  COMMERCE_##name##_REASON,
    COMMERCE_REASONS(COMMERCE_REASON_ENUM)
#undef COMMERCE_REASON_ENUM
    COMMERCE_REASON_COUNT
} commerce_reason_t;

#define COMMERCE_R(name)  COMMERCE_##name##_REASON     /* COMMERCE_R(TOKEN_EXPIRED) */

typedef enum {
    COMMERCE_CLASS_OK,
    COMMERCE_CLASS_SOFT,
    COMMERCE_CLASS_DENY,
    COMMERCE_CLASS_HOLD
} commerce_class_t;

typedef struct {
    commerce_str_t    name;         /* in log, status, metrics */
    commerce_class_t  class;
    int               status;       /* of the refusal, when it is one */
    commerce_str_t    public_code;  /* in problem+json and X-Commerce-Reason towards clients */
} commerce_reason_info_t;

/* never NULL; an unknown number gives INTERNAL */
const commerce_reason_info_t *commerce_reason(commerce_reason_t reason);

/* OK for a name that this build does not know: what only a newer generation says is nothing to act upon */
commerce_reason_t commerce_reason_find(commerce_str_t name);

#endif
