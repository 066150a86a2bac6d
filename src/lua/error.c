/* Errors: a message and a table. */
#include "error.h"

#include "hide.h"
#include "net/endpoint.h"
#include "utf8.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

enum { WORDS_MAX = 300 };

/* ---- text from outside ---- */

void raia_error_push_clean(lua_State *L, const char *text, size_t length,
                           size_t most) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t done = 0; length > 0 && done < most; done++) {
    size_t n = raia_utf8_character(text, text + length);
    unsigned char c = (unsigned char)text[0], second = 0;
    if (n == 2)
      second = (unsigned char)text[1];
    if (n == 0 || c < ' ' || c == 127 || (c == 0xC2 && second < 0xA0)) {
      static const char hex[] = "0123456789abcdef";
      n = n == 0 ? 1 : n;
      for (size_t i = 0; i < n; i++) {
        c = (unsigned char)text[i];
        luaL_addlstring(&b, "\\x", 2);
        luaL_addchar(&b, hex[c >> 4]);
        luaL_addchar(&b, hex[c & 15]);
      }
    } else {
      luaL_addlstring(&b, text, n);
    }
    text += n;
    length -= n;
  }
  if (length > 0)
    luaL_addstring(&b, "…");
  luaL_pushresult(&b);
}

static void push_clean(lua_State *L, const struct raia_subject *subject,
                       const char *text) {
  text = raia_hide_push(L, subject->endpoint, text, strlen(text));
  raia_error_push_clean(L, text, strlen(text), WORDS_MAX);
  lua_remove(L, -2);
}

/* ---- the message ---- */

/* Whether the server's message at the top is an error code, such as
   INVALID_CREDENTIALS. */
static bool is_code(lua_State *L) {
  size_t length;
  const char *s = lua_tolstring(L, -1, &length), *c = s;
  if (!isupper((unsigned char)*c))
    return false;
  while (isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_')
    c++;
  return c == s + length; /* not at an embedded NUL */
}

/* Pushes field `name` of the server's error and returns whether it is a
   string; nil if there is no such error. */
static bool push_text(lua_State *L, int body, const char *name) {
  lua_pushnil(L);
  if (body != 0) {
    lua_pop(L, 1);
    lua_getfield(L, body, name);
  }
  return lua_type(L, -1) == LUA_TSTRING;
}

/* Appends to the string at the top at most `most` characters of a server's
   text, in which the key is already masked. */
static void add_said(lua_State *L, const char *between, const char *text,
                     size_t length, size_t most) {
  lua_pushstring(L, between);
  raia_error_push_clean(L, text, length, most);
  lua_concat(L, 3);
}

/* What failures of these kinds have in common; NULL for the others. */
static const char *common_words(enum raia_kind kind) {
  switch (kind) {
  case RAIA_TIMEOUT:
    return "no answer in time";
  case RAIA_TLS:
    return "no trusted connection";
  case RAIA_FILE:
    return "the file could not be read or written";
  case RAIA_FAILED:
    return "the agent could not answer";
  default:
    return NULL;
  }
}

/* Pushes the description of the failure. */
static void push_what(lua_State *L, const struct raia_subject *subject,
                      const struct raia_failure *f) {
  const struct raia_outcome *o = subject->outcome;
  push_clean(L, subject, f->why != NULL ? f->why : o->detail);
  const char *why = lua_tostring(L, -1), *text;
  size_t length;
  switch (o->kind) {
  case RAIA_INVALID:
    push_clean(L, subject, *f->field == '\0' ? "the body" : f->field);
    lua_pushfstring(L, "%s %s", lua_tostring(L, -1), why);
    lua_remove(L, -2);
    break;
  case RAIA_CONNECTION:
    lua_pushfstring(L, "%s: %s",
                    o->sent ? "the connection broke" : "no connection", why);
    break;
  case RAIA_HTTP:
    text = push_text(L, f->body, "message") ? lua_tolstring(L, -1, &length)
                                            : NULL;
    lua_pushfstring(L, "HTTP %d", (int)o->status);
    if (text != NULL)
      add_said(L, " ", text, length, WORDS_MAX);
    lua_remove(L, -2);
    break;
  case RAIA_DECODE:
    lua_pushfstring(L, "unexpected reply: %s", why);
    if (o->reply.length > 0)
      add_said(L, ": ", o->reply.data, o->reply.length, 80);
    break;
  case RAIA_TOO_LARGE:
    if (!o->headers_done) /* libcurl reports out of memory the same way */
      lua_pushstring(L, o->over_limit
                            ? "the reply's headers are too large"
                            : "the reply's headers are too large, or memory "
                              "has run out");
    else
      lua_pushfstring(L, "the reply is too large (max_response_bytes = %I)",
                      (LUAI_UACINT)o->reply.limit);
    break;
  case RAIA_CLOSED:
    lua_pushstring(L, o->forked ? "the process has forked, and the parent "
                                  "goes on with the call"
                                : "the client is closed");
    break;
  default:
    text = common_words(o->kind);
    lua_pushfstring(L, "%s%s%s", text != NULL ? text : raia_kind_name(o->kind),
                    text != NULL ? ": " : "", text != NULL ? why : "");
  }
  lua_remove(L, -2);
}

/* Advice on a status that is not 2xx, or NULL. */
static const char *advice_on_status(const struct raia_outcome *o) {
  bool refused = raia_reach(o) == RAIA_REFUSED;
  if (refused && o->reach == RAIA_TAKEN)
    return "; it was refused, but an earlier attempt may have been carried "
           "out";
  if (o->status == 401 || o->status == 403)
    return "; it was refused: check the secret key";
  if (o->status == 429)
    return "; it was refused: the service wants fewer calls, try again later";
  if (o->status >= 300 && o->status < 400)
    return "; redirects are not followed: check base_url";
  if (refused)
    return "; it was refused: check the request";
  if (o->status < 500 && o->status != 408 && o->idempotent)
    return "; check the request";
  return NULL;
}

/* Says whether the call may have been carried out, and what to do. */
static const char *advice(const struct raia_outcome *o) {
  bool again = raia_retryable(o);
  const char *on_status = o->kind == RAIA_HTTP ? advice_on_status(o) : NULL;
  if (on_status != NULL)
    return on_status;
  if (o->kind == RAIA_FAILED)
    return "; the question was received";
  switch (o->reach) {
  case RAIA_UNSENT:
    return o->kind == RAIA_TLS
               ? "; nothing was sent; check the certificate and ca_file"
           : again ? "; nothing was sent: it can be tried again"
                   : "; nothing was sent";
  case RAIA_REFUSED:
    return again ? "; it was not carried out: it can be tried again"
                 : "; it was not carried out";
  default:
    return o->idempotent
               ? "; it can be tried again without harm"
               : "; it may have been carried out nevertheless: check before "
                 "you try again";
  }
}

static void push_message(lua_State *L, const struct raia_subject *subject,
                         const struct raia_failure *f) {
  const struct raia_outcome *o = subject->outcome;
  luaL_checkstack(L, 12, NULL);
  lua_pushfstring(L, "%s:%s: ", raia_operation_owner(subject->operation),
                  subject->operation->name);
  push_what(L, subject, f);
  if (o->attempts > 1)
    lua_pushfstring(L, " (%d attempts)", o->attempts);
  else
    lua_pushliteral(L, "");
  push_clean(L, subject, o->request_id);
  if (*o->request_id != '\0') {
    lua_pushfstring(L, " (request %s)", lua_tostring(L, -1));
    lua_remove(L, -2);
  }
  lua_pushstring(L, advice(o));
  lua_concat(L, 5);
}

/* ---- the table ---- */

static void set_string(lua_State *L, const struct raia_subject *subject,
                       const char *name, const char *value) {
  if (value != NULL && *value != '\0') {
    raia_hide_push(L, subject->endpoint, value, strlen(value));
    lua_setfield(L, -2, name);
  }
}

/* Sets the host, with its port, that the call was for. */
static void set_host(lua_State *L, const struct raia_endpoint *endpoint) {
  const char *url = endpoint == NULL ? NULL : raia_endpoint_url(endpoint);
  const char *host = url == NULL ? NULL : strstr(url, "://");
  if (host != NULL) {
    lua_pushlstring(L, host + 3, strcspn(host + 3, "/"));
    lua_setfield(L, -2, "host");
  }
}

/* Sets code and details from the server's error. */
static void set_server_error(lua_State *L, int body) {
  if (push_text(L, body, "message") && is_code(L)) {
    lua_setfield(L, -2, "code");
  } else {
    lua_pop(L, 1);
    if (push_text(L, body, "name"))
      lua_setfield(L, -2, "code");
    else
      lua_pop(L, 1);
  }
  lua_getfield(L, body, "details");
  if (lua_type(L, -1) == LUA_TTABLE)
    lua_setfield(L, -2, "details");
  else
    lua_pop(L, 1);
}

int raia_error_push(lua_State *L, const struct raia_subject *subject,
                    const struct raia_failure *failure) {
  const struct raia_outcome *o = subject->outcome;
  /* Before any text from outside is used. */
  raia_hide_outcome(subject->outcome, subject->endpoint);
  if (failure->body != 0)
    raia_hide_table(L, subject->endpoint, failure->body);
  lua_pushnil(L);
  push_message(L, subject, failure);
  lua_createtable(L, 0, 12); /* nil, message, err */
  luaL_setmetatable(L, RAIA_ERROR);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "message");
  set_string(L, subject, "kind", raia_kind_name(o->kind));
  set_string(L, subject, "method", subject->asked->method);
  set_string(L, subject, "path", subject->asked->path);
  set_host(L, subject->endpoint);
  set_string(L, subject, "sent", o->reach == RAIA_TAKEN ? "maybe" : "no");
  set_string(L, subject, "request_id", o->request_id);
  set_string(L, subject, "field", failure->field);
  lua_pushinteger(L, o->attempts);
  lua_setfield(L, -2, "attempts");
  lua_pushboolean(L, raia_retryable(o));
  lua_setfield(L, -2, "retryable");
  if (o->status != 0) {
    lua_pushinteger(L, (lua_Integer)o->status);
    lua_setfield(L, -2, "status");
  }
  if (o->retry_after > 0) {
    lua_pushnumber(L, o->retry_after);
    lua_setfield(L, -2, "retry_after");
  }
  if (o->reply.length > 0) {
    lua_pushlstring(L, o->reply.data, o->reply.length);
    lua_setfield(L, -2, "body");
  }
  if (failure->body != 0)
    set_server_error(L, failure->body);
  return 3;
}

static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "message");
  luaL_tolstring(L, -1, NULL);
  return 1;
}

void raia_error_open(lua_State *L) {
  luaL_newmetatable(L, RAIA_ERROR);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
