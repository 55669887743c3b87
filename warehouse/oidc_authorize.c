/* OAuth: the page where a user says yes (RFC 6749 3.1, RFC 7636, RFC 8252). No password is asked for: only this machine gets the page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "oidc_internal.h"

enum { longest_state = 2048, longest_user = 128 };

static const char page_start[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Sign in - dbsql-warehouse</title>\n<style>body{font:16px/1.5 sans-serif;max-width:30em;margin:4em auto;padding:0 1em;"
    "color:#1b1b1b;background:#fff}h1{font-size:1.4em}code{background:#eee;padding:0 .3em}input,button{font:inherit;padding:.4em .8em}"
    "button{margin:1em .5em 0 0}</style>\n</head>\n<body>\n<main>\n<h1>";
static const char page_end[] = "</main>\n</body>\n</html>\n";

static void reply_page(struct oidc_reply *reply, int status, const char *title, const char *text) {
  oidc_reply_header(reply, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
  oidc_reply_header(reply, "Referrer-Policy", "no-referrer");
  oidc_reply_header(reply, "X-Content-Type-Options", "nosniff");
  buf_append_text(&reply->body, page_start);
  form_escape_html(&reply->body, title);
  buf_append_text(&reply->body, "</h1>\n");
  if (text) {
    buf_append_text(&reply->body, "<p>");
    form_escape_html(&reply->body, text);
    buf_append_text(&reply->body, "</p>\n");
    buf_append_text(&reply->body, page_end);
  }
  reply->status = status;
  reply->content_type = "text/html; charset=utf-8";
}

/* ---- Where the browser goes next -------------------------------------------------------------------------------------------------- */

/* A registered address, exactly; one without a port stands for any port (RFC 8252 7.3). */
static bool redirect_fits(const char *registered, const char *given) {
  static const char scheme[] = "http://";
  size_t length = strlen(registered);
  if (strcmp(registered, given) == 0) return true;
  const char *host = registered + sizeof scheme - 1, *path = strchr(host, '/');
  const char *after = host[0] == '[' ? strchr(host, ']') : host;
  size_t authority = path ? (size_t)(path - registered) : length;
  if (after && memchr(after, ':', (size_t)(registered + authority - after))) return false;
  if (strncmp(registered, given, authority) != 0 || given[authority] != ':') return false;
  const char *port = given + authority + 1;
  size_t digits = strspn(port, "0123456789");
  int64_t number = 0;
  if (digits == 0 || digits > 5 || !text_parse_int64(port, digits, &number) || number < 1 || number > 65535) return false;
  const char *rest = port + digits;
  return path ? strcmp(rest, path) == 0 : *rest == '\0' || strcmp(rest, "/") == 0;
}

static bool is_registered(const struct oidc_client *client, const char *redirect) {
  for (size_t i = 0; i < client->redirect_count; i++) {
    if (redirect_fits(client->redirects[i], redirect)) return true;
  }
  return false;
}

static void add_parameter(struct buf *url, const char *name, const char *value) {
  if (!value) return;
  buf_append_byte(url, memchr(url->data, '?', url->size) ? '&' : '?');
  buf_printf(url, "%s=", name);
  form_encode(url, value);
}

/* Sends the browser back, with a code or an error. */
static void reply_back(struct oidc_reply *reply, const char *base, const char *redirect, const char *state, const char *code,
                       const char *error, const char *description) {
  struct buf url = BUF_INIT;
  char *issuer = wh_print("%s/oidc", base);
  buf_append_text(&url, redirect);
  add_parameter(&url, "code", code);
  add_parameter(&url, "error", error);
  add_parameter(&url, "error_description", description);
  add_parameter(&url, "state", state);
  add_parameter(&url, "iss", issuer); /* RFC 9207 */
  char *location = wh_take(&url);
  oidc_reply_header(reply, "Location", location);
  oidc_reply_header(reply, "Referrer-Policy", "no-referrer");
  reply->status = 303;
  reply->content_type = "text/plain; charset=utf-8";
  free(location);
  free(issuer);
}

/* The user has said yes; the consent becomes a code. Ends the consent. With the lock. */
static void consent_given(struct oidc *oidc, struct oidc_grant *consent, const char *user, const char *base, struct oidc_reply *reply) {
  char code[oidc_id_size], family[oidc_id_size];
  oidc_random(code);
  oidc_random(family);
  reply_back(reply, base, consent->redirect, consent->wrong_state ? "not-the-state-that-was-sent" : consent->state, code, NULL, NULL);
  struct oidc_grant grant = {.kind = OIDC_CODE,
                             .id = wh_copy(code),
                             .ends = oidc_now(oidc) + oidc_code_life_s,
                             .family = wh_copy(family),
                             .client = wh_copy(consent->client),
                             .user = wh_copy(user),
                             .scope = wh_copy(consent->scope),
                             .redirect = wh_copy(consent->redirect),
                             .challenge = wh_copy(consent->challenge)};
  consent->ends = 0;
  oidc->counters[OIDC_COUNT_CONSENTS]++;
  oidc_grant_add(oidc, grant);
}

/* ---- The request ------------------------------------------------------------------------------------------------------------------ */

/* What is wrong, in words; `*code` is OAuth's. NULL: nothing. */
static const char *check_query(const struct form *query, const char **code) {
  const char *type = form_get(query, "response_type"), *challenge = form_get(query, "code_challenge");
  const char *method = form_get(query, "code_challenge_method"), *scope = form_get(query, "scope"),
             *mode = form_get(query, "response_mode");
  bool offline;
  *code = "invalid_request";
  if (!type) return "response_type is missing";
  if (mode && strcmp(mode, "query") != 0) return "response_mode must be query";
  if (!challenge || strlen(challenge) != 43 || strspn(challenge, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != 43)
    return "code_challenge must be the SHA-256 of a verifier in base64url";
  if (!method || strcmp(method, "S256") != 0) return "code_challenge_method must be S256";
  *code = "unsupported_response_type";
  if (strcmp(type, "code") != 0) return "response_type must be code";
  *code = "invalid_scope";
  if (!scope || !oidc_scope_check(scope, &offline)) return "scope is missing, or names what is not there";
  return NULL;
}

static void show_page(struct oidc_reply *reply, const struct oidc_grant *consent, const char *path) {
  struct buf *out = &reply->body;
  reply_page(reply, 200, "Sign in to this local warehouse", NULL);
  buf_append_text(out, "<p>The program <code>");
  form_escape_html(out, consent->client);
  buf_append_text(out, "</code> asks for <code>");
  form_escape_html(out, consent->scope);
  buf_append_text(out, "</code> on your behalf.</p>\n<form method=\"post\" action=\"");
  form_escape_html(out, path);
  buf_append_text(out, "\">\n<input type=\"hidden\" name=\"consent\" value=\"");
  form_escape_html(out, consent->id);
  buf_append_text(out, "\">\n<label>Sign in as <input name=\"user\" id=\"user\" maxlength=\"128\" value=\"" OIDC_USER
                       "\"></label><br>\n"
                       "<button name=\"decision\" value=\"allow\" id=\"allow\">Allow</button>"
                       "<button name=\"decision\" value=\"deny\" id=\"deny\">Deny</button>\n</form>\n");
  buf_append_text(out, page_end);
}

static void answer_get(struct oidc *oidc, const struct oidc_request *request, const char *base, struct oidc_reply *reply) {
  const struct form *query = request->query;
  const char *redirect = query ? form_get(query, "redirect_uri") : NULL, *code, *wrong;
  const struct oidc_client *client = query ? oidc_client_find(oidc, form_get(query, "client_id")) : NULL;
  const char *state = query ? form_get(query, "state") : NULL;
  /* As long as these are in doubt the browser must not be sent anywhere (RFC 6749 4.1.2.1). */
  if (!query || form_duplicate(query)) {
    reply_page(reply, 400, "This request cannot be read", "A parameter stands there twice, or is malformed.");
  } else if (!client) {
    reply_page(reply, 400, "Unknown program", "client_id names no program that is registered here.");
  } else if (!redirect || !is_registered(client, redirect)) {
    reply_page(reply, 400, "Unknown address", "redirect_uri is not registered for this program; only loopback addresses can be.");
  } else if (state && strlen(state) > longest_state) {
    reply_page(reply, 400, "This request cannot be read", "state is too long.");
  } else if ((wrong = check_query(query, &code)) != NULL) {
    reply_back(reply, base, redirect, state, NULL, code, wrong);
  } else if (request->fault->kind == FAULT_OIDC_DENIED) {
    reply_back(reply, base, redirect, state, NULL, request->fault->message[0] ? request->fault->message : "access_denied",
               "Ordered refusal");
  } else if (request->fault->kind == FAULT_OIDC_NO_CALLBACK) {
    reply_page(reply, 200, "Nothing more happens here", "The program will not be told.");
  } else {
    char id[oidc_id_size];
    oidc_random(id);
    pthread_mutex_lock(&oidc->lock);
    struct oidc_grant *consent = oidc_grant_add(oidc, (struct oidc_grant){.kind = OIDC_CONSENT,
                                                                          .id = wh_copy(id),
                                                                          .ends = oidc_now(oidc) + oidc_consent_life_s,
                                                                          .client = wh_copy(client->id),
                                                                          .scope = wh_copy(form_get(query, "scope")),
                                                                          .redirect = wh_copy(redirect),
                                                                          .challenge = wh_copy(form_get(query, "code_challenge")),
                                                                          .state = wh_copy(state),
                                                                          .wrong_state = request->fault->kind == FAULT_OIDC_WRONG_STATE});
    if (oidc->auto_consent) {
      consent_given(oidc, consent, OIDC_USER, base, reply);
    } else {
      show_page(reply, consent, request->path);
    }
    pthread_mutex_unlock(&oidc->lock);
  }
}

static bool is_name(const char *user) {
  size_t length = strlen(user);
  if (length == 0 || length > longest_user) return false;
  for (size_t i = 0; i < length; i++) {
    if (user[i] <= ' ' || user[i] > '~') return false;
  }
  return true;
}

static void answer_post(struct oidc *oidc, const struct oidc_request *request, const char *base, struct oidc_reply *reply) {
  struct form form = {.count = 0};
  const char *id = NULL, *decision = NULL, *user = NULL;
  if (request->content_type && text_has_prefix_nocase(request->content_type, "application/x-www-form-urlencoded") &&
      form_read(&form, request->body) && !form_duplicate(&form)) {
    id = form_get(&form, "consent");
    decision = form_get(&form, "decision");
    user = form_get(&form, "user");
  }
  if (!user) user = OIDC_USER;
  pthread_mutex_lock(&oidc->lock);
  struct oidc_grant *consent = id ? oidc_grant_find(oidc, OIDC_CONSENT, id) : NULL;
  if (!consent) {
    reply_page(reply, 400, "This page has expired", "Start the login again from the program.");
  } else if (!decision || (strcmp(decision, "allow") != 0 && strcmp(decision, "deny") != 0) || !is_name(user)) {
    reply_page(reply, 400, "This form cannot be read", "It needs a decision, and a name without spaces.");
  } else if (strcmp(decision, "deny") == 0) {
    reply_back(reply, base, consent->redirect, consent->state, NULL, "access_denied", "The user has said no");
    consent->ends = 0;
  } else {
    consent_given(oidc, consent, user, base, reply);
  }
  pthread_mutex_unlock(&oidc->lock);
  form_free(&form);
}

void oidc_answer_authorize(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply) {
  char *base = oidc_base(oidc, request);
  oidc_count(oidc, OIDC_COUNT_AUTHORIZE);
  if (!request->local) {
    reply_page(reply, 403, "Not from there", "This page asks for no password, and is shown to its own machine only.");
  } else if (strcmp(request->method, "GET") == 0) {
    answer_get(oidc, request, base, reply);
  } else if (strcmp(request->method, "POST") == 0) {
    answer_post(oidc, request, base, reply);
  } else {
    oidc_reply_header(reply, "Allow", "GET, POST");
    reply_page(reply, 405, "Not that way", "This page takes GET and POST.");
  }
  free(base);
}
