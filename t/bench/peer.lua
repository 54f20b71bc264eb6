--
-- Copyright (C) ngx_commerce authors
--
-- The gateway's job as one would write it in Lua for nginx, as well as we can: the same tokens and codes are
-- verified by OpenSSL through the FFI, with key schedules that are made once; people are a table of each
-- worker, bindings, orders, coupons and counters are shared dictionaries; lines are written by nginx's own
-- access log.  No loop stands in a handler, so that LuaJIT compiles it whole.
--
-- What it does not do: nothing is durable, a restart forgets which coupons are spent, and no verdict is
-- signed.  It has one campaign and one rule of attribution: a binding younger than its protection wins, then
-- the token, then any binding.
--

local bit = require 'bit'
local ffi = require 'ffi'
local base64 = require 'ngx.base64'

local C = ffi.C
local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift
local byte = string.byte
local decode = base64.decode_base64url
local ngx, shared = ngx, ngx.shared
local bindings, coupons, orders, counters = shared.bindings, shared.coupons, shared.orders, shared.counters
local set_header, clear_header = ngx.req.set_header, ngx.req.clear_header

ffi.cdef[[
typedef struct hmac_ctx_st HMAC_CTX;
typedef struct evp_md_st EVP_MD;
HMAC_CTX *HMAC_CTX_new(void);
int HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *md, void *impl);
int HMAC_Update(HMAC_CTX *ctx, const unsigned char *data, size_t len);
int HMAC_Final(HMAC_CTX *ctx, unsigned char *md, unsigned int *len);
const EVP_MD *EVP_sha256(void);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local EPOCH = 1767225600                -- 2026-01-01, the first day of a token's expiry
local PROTECTED, VALID, FRESH = 15 * 86400, 30 * 86400, 60
local LIMIT = 100000000

local _M = {}
local uplines, names = {}, {}
local values = ffi.new('uint8_t[256]', {})
local mac, mac_len = ffi.new('uint8_t[32]'), ffi.new('unsigned int[1]')
local payload, claim = ffi.new('uint8_t[7]'), ffi.new('uint8_t[7]')
local share_key, coupon_key


local function key_of(hex)
    local ctx = C.HMAC_CTX_new()
    local raw = hex:gsub('..', function(two) return string.char(tonumber(two, 16)) end)

    assert(ctx ~= nil and C.HMAC_Init_ex(ctx, raw, #raw, C.EVP_sha256(), nil) == 1)

    return ctx
end


-- in init_by_lua: the workers share these pages

function _M.init(share_hex, coupon_hex, people)
    local digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

    share_key, coupon_key = key_of(share_hex), key_of(coupon_hex)

    for i = 0, 255 do
        values[i] = 255
    end

    for i = 1, #digits do
        values[byte(digits, i)] = i - 1
        values[byte(digits:lower(), i)] = i - 1
    end

    -- as the bench makes its people: every other one has a recruiter

    for i = 1, people do
        names[i] = string.format('seller-%05d', i)
        uplines[i] = i % 2 == 0 and i - 1 or 0
    end
end


local function hmac(ctx, data, len)
    return C.HMAC_Init_ex(ctx, nil, 0, nil, nil) == 1
           and C.HMAC_Update(ctx, data, len) == 1
           and C.HMAC_Final(ctx, mac, mac_len) == 1
end


-- the seller's number, or nil and why not

local function token(text, now)
    if not text or #text ~= 32 then
        return nil, 'TOKEN_MALFORMED'
    end

    local raw = decode(text)

    if not raw or rshift(byte(raw, 1), 6) ~= 1 then
        return nil, 'TOKEN_MALFORMED'
    end

    if not hmac(share_key, raw, 17) then
        return nil, 'INTERNAL'
    end

    if C.CRYPTO_memcmp(mac, ffi.cast('const uint8_t *', raw) + 17, 7) ~= 0 then
        return nil, 'TOKEN_BAD_MAC'
    end

    local b2, b3, b4, b5, b6 = byte(raw, 2, 6)
    local e1, e2 = byte(raw, 16, 17)
    local day = bor(lshift(e1, 6), rshift(e2, 2))

    if day ~= 0 and now >= EPOCH + day * 86400 then
        return nil, 'TOKEN_EXPIRED'
    end

    return (((b2 * 256 + b3) * 256 + b4) * 256 + b5) * 256 + b6
end


-- ten characters, 50 bits, left aligned in seven bytes; both halves of 25 bits, nil if one is no digit

local function fifty(text, at, out)
    local c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 = byte(text, at, at + 9)
    local v1, v2, v3, v4, v5 = values[c1], values[c2], values[c3], values[c4], values[c5]
    local v6, v7, v8, v9, v10 = values[c6], values[c7], values[c8], values[c9], values[c10]

    if band(bor(bor(bor(v1, v2), bor(v3, v4)), bor(bor(v5, v6), bor(bor(v7, v8), bor(v9, v10)))), 128) ~= 0 then
        return nil
    end

    local hi = bor(lshift(v1, 20), lshift(v2, 15), lshift(v3, 10), lshift(v4, 5), v5)
    local lo = bor(lshift(v6, 20), lshift(v7, 15), lshift(v8, 10), lshift(v9, 5), v10)

    out[0], out[1], out[2] = rshift(hi, 17), band(rshift(hi, 9), 255), band(rshift(hi, 1), 255)
    out[3] = bor(lshift(band(hi, 1), 7), rshift(lo, 18))
    out[4], out[5], out[6] = band(rshift(lo, 10), 255), band(rshift(lo, 2), 255), lshift(band(lo, 3), 6)

    return hi, lo
end


-- the serial, or nil and why not

local function coupon(text)
    if not text or #text ~= 20 then
        return nil, 'COUPON_MALFORMED'
    end

    local hi, lo = fifty(text, 1, payload)

    if not hi or rshift(hi, 23) ~= 1 or not fifty(text, 11, claim) then
        return nil, 'COUPON_MALFORMED'
    end

    if not hmac(coupon_key, payload, 7) then
        return nil, 'INTERNAL'
    end

    mac[6] = band(mac[6], 192)

    if C.CRYPTO_memcmp(mac, claim, 7) ~= 0 then
        return nil, 'COUPON_BAD_SIGNATURE'
    end

    return band(hi, 31) * 33554432 + lo
end


-- who is credited: the buyer's binding is read, and written when it changed or is no longer fresh

local function attribute(user, text, now)
    local seller, reason = token(text, now)
    local bound, since = bindings:get(user)
    local age = bound and now - since or VALID

    if seller and not names[seller] then
        seller, reason = nil, 'SELLER_UNKNOWN'
    end

    if bound and age < PROTECTED then
        seller, reason = bound, 'ATTR_OK'

    elseif not seller and bound and age < VALID then
        seller, reason = bound, 'ATTR_OK'

    elseif not seller then
        return nil, nil, reason
    end

    if bound ~= seller or age > FRESH then
        bindings:set(user, seller, VALID, now)
    end

    -- at most two tiers: whoever recruited the seller is paid, nobody above

    local upline = uplines[seller]

    return names[seller], upline ~= 0 and names[upline] or nil, reason or 'ATTR_OK'
end


local function tell(var, seller, tier2, reason)
    clear_header('X-Commerce-Coupon')
    clear_header('X-Commerce-Verdict')
    set_header('X-Commerce-Decision', 'pass')
    set_header('X-Commerce-Reason', reason)

    if seller then
        set_header('X-Commerce-Seller', seller)
        var.seller = seller
    end

    if tier2 then
        set_header('X-Commerce-Tier2', tier2)
        var.tier2 = tier2
    end

    var.reason = reason
end


function _M.view()
    local var, now = ngx.var, ngx.time()
    local seller, tier2, reason = attribute(var.http_x_user, var.arg_st, now)

    tell(var, seller, tier2, reason)
end


-- a refusal gives back what was taken before it

function _M.order()
    local var, now = ngx.var, ngx.time()
    local user, key, code = var.http_x_user, var.http_x_key, var.arg_cp
    local serial, refusal = coupon(code)

    if not serial then
        var.reason = refusal
        return ngx.exit(422)
    end

    local seller, tier2, reason = attribute(user, var.arg_st, now)
    local scoped = user .. '/' .. key

    if not orders:safe_add(scoped, serial) then
        var.reason = 'ORDER_KEY_REUSED'
        return ngx.exit(409)
    end

    if not coupons:safe_add(serial, scoped) then
        orders:delete(scoped)
        var.reason = 'COUPON_ALREADY_REDEEMED'
        return ngx.exit(409)
    end

    if counters:incr('total', 1, 0) > LIMIT or counters:incr(user, 1, 0) > LIMIT then
        orders:delete(scoped)
        coupons:delete(serial)
        var.reason = 'COUPON_TOTAL_LIMIT'
        return ngx.exit(409)
    end

    tell(var, seller, tier2, reason)
    set_header('X-Commerce-Coupon', code)
    set_header('X-Commerce-Order-Key', key)
    set_header('Idempotency-Key', key)

    var.serial = serial
end


-- log_by_lua: a refused order lets its coupon go; any other answer leaves it with the order

function _M.outcome()
    local var, status = ngx.var, ngx.status
    local scoped = var.http_x_user .. '/' .. var.http_x_key
    local serial = orders:get(scoped)

    if status == 200 then
        coupons:set(serial, scoped, 0, 1)

    elseif status >= 400 and status < 500 and serial then
        orders:delete(scoped)
        coupons:delete(serial)
    end
end


-- what the dictionaries have taken, for the memory of a coupon and an order

function _M.stat()
    ngx.say(string.format('coupons=%d orders=%d', coupons:capacity() - coupons:free_space(),
                          orders:capacity() - orders:free_space()))
end


return _M
