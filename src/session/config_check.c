/* Values that need a closer look than their type. The texts are the rest of a sentence; none quotes the value. */
#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "session/config_internal.h"

static bool is_name_byte(uint8_t byte) {
  return text_is_alpha((char)byte) || text_is_digit((char)byte);
}

/* True if every byte is a letter, a digit or one of `others`. */
static bool consists_of(struct slice text, const char *others) {
  for (size_t i = 0; i < text.size; i++) {
    if (!is_name_byte(text.data[i]) && (text.data[i] == 0 || !strchr(others, text.data[i]))) return false;
  }
  return true;
}

static bool is_number(struct slice text) {
  for (size_t i = 0; i < text.size; i++) {
    if (!text_is_digit((char)text.data[i])) return false;
  }
  return text.size > 0;
}

static bool is_address(int family, struct slice text) {
  char copy[INET6_ADDRSTRLEN + 1];
  unsigned char address[sizeof(struct in6_addr)];
  if (text.size == 0 || text.size >= sizeof copy) return false;
  memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  return inet_pton(family, copy, address) == 1;
}

static int hex_digit(uint8_t byte) {
  if (text_is_digit((char)byte)) return byte - '0';
  char lower = text_lower((char)byte);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool config_percent_decode(struct slice text, bool form, struct buf *out, size_t *bad_at) {
  for (size_t i = 0; i < text.size; i++) {
    uint8_t byte = text.data[i];
    if (byte == '%') {
      int high = i + 1 < text.size ? hex_digit(text.data[i + 1]) : -1;
      int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
      if (high < 0 || low < 0) {
        *bad_at = i;
        return false;
      }
      byte = (uint8_t)(high * 16 + low);
      i += 2;
    } else if (byte == '+' && form) {
      byte = ' ';
    }
    buf_append_byte(out, byte);
  }
  return true;
}

static const char *check_host(struct slice host) {
  if (host.size > 253) return "is longer than a host name can be";
  if (!consists_of(host, ".-_")) return "has a character that no host name has";
  return NULL;
}

const char *config_split_authority(struct slice text, struct slice *host, struct slice *port) {
  *port = slice_of(NULL, 0);
  if (text.size > 0 && text.data[0] == '[') {
    const uint8_t *close = memchr(text.data, ']', text.size);
    if (!close) return "has a '[' without its ']'";
    *host = slice_of(text.data + 1, (size_t)(close - text.data) - 1);
    if (!is_address(AF_INET6, *host)) return "has no IPv6 address between its brackets";
    struct slice rest = slice_of(close + 1, text.size - host->size - 2);
    if (rest.size == 0) return NULL;
    if (rest.data[0] != ':') return "has something other than a port after its brackets";
    *port = slice_of(rest.data + 1, rest.size - 1);
  } else {
    const uint8_t *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    *host = colon ? slice_of(text.data, (size_t)(colon - text.data)) : text;
    const char *problem = check_host(*host);
    if (problem) return problem;
    if (!colon) return NULL;
    *port = slice_of(colon + 1, text.size - host->size - 1);
    if (memchr(port->data, ':', port->size)) return "has more than one colon (an IPv6 address needs brackets)";
  }
  int64_t number;
  bool fine = is_number(*port) && text_parse_int64((const char *)port->data, port->size, &number) && number >= 1 && number <= 65535;
  return fine ? NULL : "has an invalid port (1..65535)";
}

bool config_is_loopback(const char *host) {
  if (text_equal_nocase(host, "localhost")) return true;
  unsigned char address[16];
  if (inet_pton(AF_INET, host, address) == 1) return address[0] == 127;
  static const unsigned char loopback[16] = {[15] = 1};
  return inet_pton(AF_INET6, host, address) == 1 && memcmp(address, loopback, sizeof loopback) == 0;
}

/* What may stand in a request line as it is (RFC 3986 path and query), so that nothing can be smuggled into it (auth.md 6, T9). */
static const char *check_path(struct slice path) {
  bool in_query = false;
  for (size_t i = 0; i < path.size; i++) {
    uint8_t byte = path.data[i];
    if (byte == '%') {
      if (i + 2 >= path.size || hex_digit(path.data[i + 1]) < 0 || hex_digit(path.data[i + 2]) < 0) return "has a malformed '%' escape";
      int value = hex_digit(path.data[i + 1]) * 16 + hex_digit(path.data[i + 2]);
      if (value < 0x20 || value == 0x7F) return "has an escaped control character";
    } else if (byte == '?' && !in_query) {
      in_query = true;
    } else if (!consists_of(slice_of(&byte, 1), in_query ? "-._~!$&'()*+,;=:@/?" : "-._~!$&'()*+,;=:@/")) {
      return "has a character that is not allowed in a path";
    }
  }
  return NULL;
}

static const char *check_proxy_url(struct slice url) {
  static const char *const schemes[] = {"http://", "https://", "socks5h://"};
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t length = strlen(schemes[i]);
    if (url.size < length || !text_equal_nocase_n((const char *)url.data, length, schemes[i], length)) continue;
    struct slice rest = slice_of(url.data + length, url.size - length), host, port;
    if (rest.size > 0 && rest.data[rest.size - 1] == '/') rest.size--;
    const char *problem = config_split_authority(rest, &host, &port);
    if (problem) return problem;
    return host.size == 0 ? "has no host" : NULL;
  }
  return "must begin with http://, https:// or socks5h://";
}

/* "8030", "8020-8040", "8020,8025". */
static const char *check_ports(struct slice ports) {
  for (size_t at = 0; at <= ports.size;) {
    const uint8_t *start = ports.data + at, *comma = memchr(start, ',', ports.size - at);
    struct slice piece = slice_of(start, comma ? (size_t)(comma - start) : ports.size - at), end = {NULL, 0};
    at += piece.size + 1;
    const uint8_t *dash = piece.size ? memchr(piece.data, '-', piece.size) : NULL;
    if (dash) {
      end = slice_of(dash + 1, piece.size - (size_t)(dash - piece.data) - 1);
      piece.size = (size_t)(dash - piece.data);
    }
    int64_t first = -1, last = -1;
    bool fine = is_number(piece) && text_parse_int64((const char *)piece.data, piece.size, &first) && first <= 65535;
    if (fine && dash) {
      fine = first > 0 && is_number(end) && text_parse_int64((const char *)end.data, end.size, &last) && last >= first && last <= 65535;
    }
    if (!fine) return "is no list of ports such as 8030, 8020-8040 or 8020,8025";
  }
  return NULL;
}

static const char *check_visible(struct slice value) {
  if (value.size > 512) return "is too long";
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] <= ' ' || value.data[i] > '~') return "has a space or a character that no id has";
  }
  return NULL;
}

/* What is sent there is a secret. */
static const char *check_endpoint(struct slice url) {
  if (url.size > 2048) return "is too long";
  for (size_t i = 0; i < url.size; i++) {
    if (url.data[i] <= ' ' || url.data[i] > '~') return "has a space or a character that no URL has";
  }
  bool https = url.size > 8 && text_equal_nocase_n((const char *)url.data, 8, "https://", 8);
  bool http = url.size > 7 && text_equal_nocase_n((const char *)url.data, 7, "http://", 7);
  return https || http ? NULL : "must begin with https://";
}

const char *config_check_text(enum option_id id, struct slice value) {
  switch (id) {
    case OPTION_client_id:
    case OPTION_azure_client_id:
    case OPTION_federation_client_id:
    case OPTION_jwt_kid: return check_visible(value);
    case OPTION_token_endpoint:
    case OPTION_authorization_endpoint:
    case OPTION_discovery_url: return check_endpoint(value);
    case OPTION_account_id: return consists_of(value, "-") ? NULL : "has a character that no account id has";
    case OPTION_azure_tenant_id: return consists_of(value, "-.") ? NULL : "has a character that no tenant has";
    case OPTION_azure_workspace_resource_id:
      return value.data[0] == '/' && consists_of(value, "/-_.()") ? NULL : "is no resource id of Azure (/subscriptions/...)";
    case OPTION_oauth_redirect_port: return check_ports(value);
    case OPTION_oidc_token_env: return consists_of(value, "_") ? NULL : "has a character that no variable has";
    case OPTION_host: return is_address(AF_INET6, value) ? NULL : check_host(value);
    case OPTION_proxy_host: return is_address(AF_INET6, value) ? NULL : check_host(value);
    case OPTION_http_path: return check_path(value);
    case OPTION_proxy_url:
    case OPTION_cloudfetch_proxy_url: return check_proxy_url(value);
    case OPTION_proxy_user: return memchr(value.data, ':', value.size) ? "must not have a ':' in it" : NULL;
    case OPTION_warehouse_id: return consists_of(value, "-_.") ? NULL : "has a character that no warehouse id has";
    case OPTION_org_id: return is_number(value) && value.size <= 20 ? NULL : "must be a number";
    case OPTION_timezone: return consists_of(value, "/_+-:") ? NULL : "has a character that no time zone has";
    case OPTION_access_token:
      for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= ' ' || value.data[i] > '~') return "has a space or a character that cannot be sent in a header";
      }
      return NULL;
    case OPTION_user_agent_entry:
      for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] > '~') return "has a character that cannot be sent in a header";
      }
      return NULL;
    default: return NULL;
  }
}

const char *config_check_parameter_name(struct slice name) {
  if (name.size == 0) return "the name of a session parameter is empty";
  if (name.size > longest_parameter_name) return "the name of a session parameter is too long";
  return consists_of(name, "_.:") ? NULL : "the name of a session parameter has other characters than A-Z a-z 0-9 _ . :";
}

const char *config_check_header(struct slice name, struct slice value) {
  /* What we set ourselves, or what would change where a request ends (auth.md 6, T8). */
  static const char *const reserved[] = {"Authorization",
                                         "Proxy-Authorization",
                                         "Host",
                                         "Content-Length",
                                         "Transfer-Encoding",
                                         "Content-Type",
                                         "Content-Encoding",
                                         "Connection",
                                         "Proxy-Connection",
                                         "Accept-Encoding",
                                         "Expect",
                                         "Upgrade",
                                         "TE",
                                         "Trailer",
                                         "User-Agent"};
  if (name.size == 0 || name.size > 256 || !consists_of(name, "!#$%&'*+-.^_`|~")) return "this is no name for a header";
  for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
    if (text_equal_nocase_n((const char *)name.data, name.size, reserved[i], strlen(reserved[i])))
      return "this header is set by the library";
  }
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < ' ' || value.data[i] == 0x7F) return "the value of a header has a control character in it";
  }
  return NULL;
}
