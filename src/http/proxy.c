#include "http/proxy.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

/* One proxy for each scheme of targets; the same one twice if the settings name it. */
struct http_proxy_rules {
  struct http_proxy *for_https;
  struct http_proxy *for_http;
  char *no_proxy;
};

/* ---- no_proxy ----------------------------------------------------------------------------------------------------------- */

struct address {
  int family; /* 0: no address */
  uint8_t bytes[16];
};

static struct address parse_address(const char *text) {
  struct address address = {0, {0}};
  if (inet_pton(AF_INET, text, address.bytes) == 1) {
    address.family = AF_INET;
  } else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
    address.family = AF_INET6;
  }
  return address;
}

static bool in_network(const struct address *address, const char *network, int64_t prefix) {
  struct address base = parse_address(network);
  if (base.family == 0 || base.family != address->family || prefix < 0 || prefix > (base.family == AF_INET ? 32 : 128)) return false;
  size_t whole = (size_t)prefix / 8;
  if (memcmp(base.bytes, address->bytes, whole) != 0) return false;
  unsigned rest = (unsigned)(prefix % 8);
  return rest == 0 || (base.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* `entry` is lower case: host, .suffix, *.suffix, host:port, [v6]:port, address, network/bits, or *. */
static bool entry_matches(char *entry, const struct http_target *target) {
  if (strcmp(entry, "*") == 0) return true;
  struct address address = parse_address(target->host);
  char *slash = strchr(entry, '/');
  if (slash) {
    int64_t prefix;
    *slash = 0;
    return address.family != 0 && text_parse_int64(slash + 1, strlen(slash + 1), &prefix) && in_network(&address, entry, prefix);
  }
  char *name = entry;
  char *port = NULL;
  if (*entry == '[') {
    char *end = strchr(entry, ']');
    if (!end) return false;
    *end = 0;
    name = entry + 1;
    if (end[1] == ':') port = end + 2;
  } else {
    char *colon = strchr(entry, ':');
    if (colon && !strchr(colon + 1, ':')) { /* more than one: a bare IPv6 address */
      *colon = 0;
      port = colon + 1;
    }
  }
  int64_t number;
  if (port && (!text_parse_int64(port, strlen(port), &number) || number != target->port)) return false;
  if (address.family != 0) {
    struct address other = parse_address(name);
    return other.family == address.family && memcmp(other.bytes, address.bytes, sizeof other.bytes) == 0;
  }
  if (strncmp(name, "*.", 2) == 0) name += 2;
  if (*name == '.') name++;
  size_t length = strlen(name), host_length = strlen(target->host);
  if (length > 0 && name[length - 1] == '.') name[--length] = 0;
  if (length == 0 || length > host_length) return false;
  const char *tail = target->host + host_length - length;
  return strcmp(tail, name) == 0 && (tail == target->host || tail[-1] == '.');
}

bool http_no_proxy_matches(const char *list, const struct http_target *target) {
  static const char separators[] = ", \t\r\n|;";
  while (*list) {
    list += strspn(list, separators);
    size_t length = strcspn(list, separators);
    char entry[300];
    if (length > 0 && length < sizeof entry) {
      for (size_t i = 0; i < length; i++) entry[i] = text_lower(list[i]);
      entry[length] = 0;
      if (entry_matches(entry, target)) return true;
    }
    list += length;
  }
  return false;
}

/* ---- A proxy ------------------------------------------------------------------------------------------------------------ */

static void proxy_free(struct http_proxy *proxy) {
  if (!proxy) return;
  mem_free(proxy->url);
  mem_free(proxy->shown);
  secret_free(proxy->user);
  secret_free(proxy->password);
  mem_free(proxy);
}

static dbsql_status bad_proxy(const char *source, const char *why, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: %s", source, why);
}

static dbsql_status check_credentials(const char *source, const char *user, size_t user_length, const char *password,
                                      size_t password_length, dbsql_error **error) {
  for (size_t i = 0; i < user_length; i++) {
    if ((unsigned char)user[i] < 0x20 || user[i] == 0x7F) return bad_proxy(source, "the user of the proxy has a control character", error);
    if (user[i] == ':') return bad_proxy(source, "the user of the proxy has a colon, which cannot be sent", error);
  }
  for (size_t i = 0; i < password_length; i++) {
    if ((unsigned char)password[i] < 0x20 || password[i] == 0x7F) {
      return bad_proxy(source, "the password of the proxy has a control character", error);
    }
  }
  return DBSQL_OK;
}

static dbsql_status take_credentials(struct http_proxy *proxy, const char *source, const char *user, size_t user_length,
                                     const char *password, size_t password_length, dbsql_error **error) {
  dbsql_status status = check_credentials(source, user, user_length, password, password_length, error);
  if (status != DBSQL_OK) return status;
  proxy->user = secret_new(user, user_length);
  proxy->password = secret_new(password, password_length);
  return proxy->user && proxy->password ? DBSQL_OK : error_no_memory(error);
}

/* The decoded part of the userinfo; *length includes NULs that were encoded. NULL if there is none. */
static char *decoded_part(CURLU *parts, CURLUPart part, int *length, bool *failed) {
  char *raw = NULL, *decoded = NULL;
  *length = 0;
  CURLUcode code = curl_url_get(parts, part, &raw, 0);
  if (code == CURLUE_OK) {
    decoded = curl_easy_unescape(NULL, raw, 0, length);
    if (!decoded) *failed = true;
  } else if (code == CURLUE_OUT_OF_MEMORY) {
    *failed = true;
  }
  curl_free(raw);
  return decoded;
}

static void free_decoded(char *decoded, int length) {
  if (decoded) mem_wipe(decoded, (size_t)length);
  curl_free(decoded);
}

/* `source` names where the URL is from. The URL itself is never shown: it may hold a password. */
static dbsql_status parse_proxy(CURLU *parts, struct http_proxy *proxy, const char *source, const char *text, bool may_have_userinfo,
                                dbsql_error **error) {
  char *scheme = NULL, *host = NULL, *port = NULL;
  struct buf url = BUF_INIT, shown = BUF_INIT;
  dbsql_status status = DBSQL_OK;
  const char *trouble = NULL;
  bool failed = false;
  int user_length = 0, password_length = 0;
  char *user = NULL, *password = NULL;
  for (const char *c = text; *c && !trouble; c++) {
    if ((unsigned char)*c <= 0x20 || *c == 0x7F) trouble = "the proxy URL has a space or control character";
  }
  if (!trouble) {
    CURLUcode code = curl_url_set(parts, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | (strstr(text, "://") ? 0u : CURLU_DEFAULT_SCHEME));
    failed = code == CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_BAD_PORT_NUMBER) {
      trouble = "the proxy URL has a bad port";
    } else if (code != CURLUE_OK) {
      trouble = "the proxy URL is malformed";
    }
  }
  /* Without a scheme libcurl's parser assumes https; everybody else takes a proxy without one for http. */
  if (!trouble && !strstr(text, "://") && curl_url_set(parts, CURLUPART_SCHEME, "http", 0) != CURLUE_OK) failed = true;
  if (!trouble && !failed) {
    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) failed = true;
    if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK || !*host) trouble = "the proxy URL has no host";
    CURLUcode code = curl_url_get(parts, CURLUPART_PORT, &port, 0);
    if (code == CURLUE_OK) {
      int64_t number;
      if (!text_parse_int64(port, strlen(port), &number) || number < 1 || number > 65535) trouble = "the proxy URL has a bad port";
    } else if (code != CURLUE_NO_PORT) {
      failed = true;
    }
  }
  if (!trouble && !failed) {
    bool known = text_equal_nocase(scheme, "http") || text_equal_nocase(scheme, "https") || text_equal_nocase(scheme, "socks5h");
    if (!known) trouble = "the scheme of the proxy URL is none of http, https and socks5h";
    proxy->tls = text_equal_nocase(scheme, "https");
  }
  if (!trouble && !failed) {
    user = decoded_part(parts, CURLUPART_USER, &user_length, &failed);
    password = decoded_part(parts, CURLUPART_PASSWORD, &password_length, &failed);
    if (!may_have_userinfo && (user || password)) {
      trouble = "the proxy URL has a user or password and proxy_user or proxy_password are set too; give one of them";
    }
  }
  if (trouble) {
    status = bad_proxy(source, trouble, error);
    goto cleanup;
  }
  if (failed) {
    status = error_no_memory(error);
    goto cleanup;
  }
  if (user || password) {
    status =
        take_credentials(proxy, source, user ? user : "", (size_t)user_length, password ? password : "", (size_t)password_length, error);
    if (status != DBSQL_OK) goto cleanup;
  }
  /* Ports that everybody assumes; libcurl's own default for proxies is 1080. */
  const char *port_text = port ? port : text_equal_nocase(scheme, "https") ? "443" : text_equal_nocase(scheme, "http") ? "80" : "1080";
  buf_printf(&url, "%s://%s:%s", scheme, host, port_text);
  buf_printf(&shown, "%s:%s", host, port_text);
  proxy->url = buf_take_text(&url);
  proxy->shown = buf_take_text(&shown);
  if (!proxy->url || !proxy->shown) status = error_no_memory(error);

cleanup:
  free_decoded(user, user_length);
  free_decoded(password, password_length);
  buf_free(&url);
  buf_free(&shown);
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  return status;
}

/* `settings` brings the credentials, or is NULL if they must not be used: a proxy of the environment gets none of them (T39). */
static dbsql_status proxy_new(struct http_proxy **proxy, const char *source, const char *url, const struct http_settings *settings,
                              dbsql_error **error) {
  CURLU *parts = curl_url();
  struct http_proxy *made = mem_alloc_zero(1, sizeof *made);
  dbsql_status status = DBSQL_OK;
  if (!parts || !made) {
    status = error_no_memory(error);
    goto cleanup;
  }
  bool own = settings && (settings->proxy_user || settings->proxy_password);
  status = parse_proxy(parts, made, source, url, !own, error);
  if (status == DBSQL_OK && own) {
    status = take_credentials(made, "proxy_user", secret_text(settings->proxy_user), secret_length(settings->proxy_user),
                              secret_text(settings->proxy_password), secret_length(settings->proxy_password), error);
  }
  if (status != DBSQL_OK) goto cleanup;
  *proxy = made;
  made = NULL;

cleanup:
  proxy_free(made);
  curl_url_cleanup(parts);
  return status;
}

static dbsql_status proxy_from_environment(struct http_proxy **proxy, const char *const *names, dbsql_error **error) {
  for (; *names; names++) {
    const char *url = environment_get(*names);
    if (url) return proxy_new(proxy, *names, url, NULL, error);
  }
  return DBSQL_OK;
}

/* ---- The rules ---------------------------------------------------------------------------------------------------------- */

dbsql_status http_proxy_rules_new(const struct http_settings *settings, struct http_proxy_rules **rules, dbsql_error **error) {
  /* HTTP_PROXY in upper case is not looked at: a CGI server sets it from a request's header ("httpoxy"). */
  static const char *const https_names[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", NULL};
  static const char *const http_names[] = {"http_proxy", "ALL_PROXY", "all_proxy", NULL};
  *rules = NULL;
  bool has_credentials = settings->proxy_user || settings->proxy_password;
  if (has_credentials && settings->use_proxy && !settings->proxy_url) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                     "proxy_user and proxy_password need proxy_url: they are not sent to a proxy that the environment names");
  }
  if (settings->proxy_password && !settings->proxy_user) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "proxy_password is set without proxy_user");
  }
  struct http_proxy_rules *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  dbsql_status status = DBSQL_OK;
  const char *no_proxy = settings->no_proxy;
  if (settings->use_proxy && settings->proxy_url) {
    status = proxy_new(&made->for_https, "proxy_url", settings->proxy_url, settings, error);
    made->for_http = made->for_https;
  } else if (settings->use_proxy && !settings->ignore_environment) {
    status = proxy_from_environment(&made->for_https, https_names, error);
    if (status == DBSQL_OK) status = proxy_from_environment(&made->for_http, http_names, error);
    if (!no_proxy) no_proxy = environment_get("NO_PROXY");
    if (!no_proxy) no_proxy = environment_get("no_proxy");
  }
  if (status == DBSQL_OK && no_proxy) {
    made->no_proxy = mem_strdup(no_proxy);
    if (!made->no_proxy) status = error_no_memory(error);
  }
  if (status != DBSQL_OK) {
    http_proxy_rules_free(made);
    return status;
  }
  *rules = made;
  return DBSQL_OK;
}

void http_proxy_rules_free(struct http_proxy_rules *rules) {
  if (!rules) return;
  if (rules->for_http != rules->for_https) proxy_free(rules->for_http);
  proxy_free(rules->for_https);
  mem_free(rules->no_proxy);
  mem_free(rules);
}

const struct http_proxy *http_proxy_choose(const struct http_proxy_rules *rules, const struct http_target *target) {
  const struct http_proxy *proxy = target->tls ? rules->for_https : rules->for_http;
  if (!proxy || http_host_is_loopback(target->host) || strcmp(target->host, "169.254.169.254") == 0) return NULL;
  if (rules->no_proxy && http_no_proxy_matches(rules->no_proxy, target)) return NULL;
  return proxy;
}
