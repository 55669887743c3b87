#include "http/network.h"

#include <errno.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

/* ---- The phase ----------------------------------------------------------------------------------------------------------- */

static int64_t time_of(CURL *easy, CURLINFO info) {
  curl_off_t us = 0;
  return curl_easy_getinfo(easy, info, &us) == CURLE_OK ? (int64_t)us : 0;
}

void network_phase(CURL *easy, const struct http_target *target, const char *proxy, bool answering, char *out, size_t size) {
  const char *to = proxy ? proxy : target->shown;
  const char *kind = proxy ? "the proxy " : "";
  /* From the end: on a connection that is used again the first times are 0. */
  if (answering) {
    snprintf(out, size, "receiving the answer of %s", target->shown);
  } else if (time_of(easy, CURLINFO_PRETRANSFER_TIME_T) != 0) {
    snprintf(out, size, "waiting for the answer of %s", target->shown);
  } else if (time_of(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0) {
    snprintf(out, size, "looking up the name of %s%s", kind, to);
  } else if (time_of(easy, CURLINFO_CONNECT_TIME_T) == 0) {
    snprintf(out, size, "connecting to %s%s", kind, to);
  } else {
    snprintf(out, size, "setting up %s with %s%s%s", target->tls ? "TLS" : "the connection", target->shown,
             proxy ? " through the proxy " : "", proxy ? proxy : "");
  }
}

/* ---- The reason ---------------------------------------------------------------------------------------------------------- */

static const char *os_reason(int number) {
  switch (number) {
    case ECONNREFUSED: return "connection refused";
    case ECONNRESET: return "connection reset";
    case ETIMEDOUT: return "the connection attempt timed out";
    case EHOSTUNREACH: return "no route to the host";
    case ENETUNREACH: return "the network is unreachable";
    case EADDRNOTAVAIL: return "no local address or port available";
    case EACCES:
    case EPERM: return "not permitted";
    case EMFILE:
    case ENFILE: return "too many open files";
    case EPIPE: return "the other side closed the connection";
    default: return NULL;
  }
}

/* Names the certificate's own host names, as far as libcurl collected them. */
static void append_presented_names(CURL *easy, struct buf *text) {
  struct curl_certinfo *info = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs < 1) return;
  for (struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
    static const char name[] = "X509v3 Subject Alternative Name:";
    if (strncmp(line->data, name, sizeof name - 1) == 0) {
      const char *names = line->data + sizeof name - 1;
      size_t length = strlen(names);
      buf_append_text(text, "; the certificate is for ");
      buf_append(text, names, length < 300 ? length : 300);
      return;
    }
  }
}

/* True for failures of TLS that come back however often one tries. */
static bool is_lasting_tls_text(const char *text) {
  static const char *const marks[] = {
      "wrong version number", "unsupported protocol",   "alert protocol version",     "alert handshake failure",
      "certificate required", "alert bad certificate",  "alert unknown ca",           "alert unsupported certificate",
      "alert certificate",    "no protocols available", "no shared cipher",           "alert access denied",
      "alert unknown",        "http request",           "alert insufficient security"};
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
    if (text_find(text, strlen(text), marks[i]) >= 0) return true;
  }
  return false;
}

static void append_tls_handshake(struct buf *text, const char *curl_text, const char *whom) {
  size_t length = strlen(curl_text);
  if (text_find(curl_text, length, "wrong version number") >= 0 || text_find(curl_text, length, "http request") >= 0) {
    buf_printf(text, "%s does not speak TLS on that port", whom);
  } else if (text_find(curl_text, length, "protocol version") >= 0 || text_find(curl_text, length, "unsupported protocol") >= 0 ||
             text_find(curl_text, length, "no protocols available") >= 0) {
    buf_printf(text, "%s allows no TLS version that is allowed here (see tls_min_version)", whom);
  } else if (text_find(curl_text, length, "certificate required") >= 0) {
    buf_printf(text, "%s requires a client certificate (see tls_client_cert)", whom);
  } else if (text_find(curl_text, length, "alert bad certificate") >= 0 || text_find(curl_text, length, "alert unknown ca") >= 0 ||
             text_find(curl_text, length, "alert certificate") >= 0 || text_find(curl_text, length, "alert unsupported certificate") >= 0) {
    buf_printf(text, "%s refused the client certificate", whom);
  } else {
    buf_printf(text, "the TLS handshake with %s failed", whom);
  }
}

static void append_certificate(struct buf *text, CURL *easy, bool proxy, const char *whom, const char *curl_text) {
  long verify = 0;
  if (curl_easy_getinfo(easy, proxy ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT, &verify) != CURLE_OK) verify = 0;
  buf_printf(text, "the certificate of %s is not accepted: ", whom);
  switch (verify) {
    case X509_V_ERR_CERT_HAS_EXPIRED: buf_append_text(text, "it has expired"); return;
    case X509_V_ERR_CERT_NOT_YET_VALID: buf_append_text(text, "it is not valid yet (is the clock right?)"); return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: buf_append_text(text, "it is self-signed and not among the trusted ones"); return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      buf_append_text(text, "the root of its chain is not among the trusted ones (see tls_ca_file)");
      return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: buf_append_text(text, "its issuer is unknown (see tls_ca_file)"); return;
    case X509_V_ERR_CERT_REVOKED: buf_append_text(text, "it has been revoked"); return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: break;
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl checks the name first and leaves this until it has checked the chain */
      if (text_find(curl_text, strlen(curl_text), "does not match") < 0 && text_find(curl_text, strlen(curl_text), "no alternative") < 0) {
        buf_append_text(text, *curl_text ? curl_text : "verification failed");
        return;
      }
      break;
    default: buf_append_text(text, X509_verify_cert_error_string(verify)); return;
  }
  buf_append_text(text, "it is for another name");
  append_presented_names(easy, text);
}

/* What is known about an HTTP proxy's part: its answer to CONNECT, or 0. */
static int connect_status(CURL *easy) {
  long status = 0;
  return curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK ? (int)status : 0;
}

struct verdict {
  const char *sqlstate;
  dbsql_status kind;
  bool may_retry;
};

/* A failed CONNECT: the proxy's error, whatever libcurl calls it. True if that is what happened. */
static bool judge_tunnel(const struct network_failure *f, struct buf *text, struct verdict *verdict) {
  if (!f->proxy || f->sent) return false;
  int status = connect_status(f->easy);
  if (status == 0 || (status >= 200 && status <= 299)) return false;
  if (status == 407) {
    buf_printf(text, "the proxy %s refuses the connection to %s: it wants other credentials than it was given (HTTP 407)", f->proxy,
               f->target->shown);
  } else {
    buf_printf(text, "the proxy %s refuses the connection to %s with HTTP %d", f->proxy, f->target->shown, status);
  }
  verdict->sqlstate = "08001";
  verdict->may_retry = status >= 500 && status != 501;
  return true;
}

static void judge(const struct network_failure *f, struct buf *text, struct verdict *verdict) {
  const char *host = f->target->shown;
  const char *curl_text = f->curl_text && *f->curl_text ? f->curl_text : curl_easy_strerror(f->code);
  char whom[300];
  bool before = time_of(f->easy, CURLINFO_PRETRANSFER_TIME_T) == 0;
  /* TLS with the proxy itself comes before TLS with the server, which begins after a good CONNECT. */
  bool at_proxy = f->proxy && f->proxy_tls && before && connect_status(f->easy) == 0;
  snprintf(whom, sizeof whom, "%s%s", at_proxy ? "the proxy " : "", at_proxy ? f->proxy : host);
  *verdict = (struct verdict){f->sent ? "08S01" : "08001", DBSQL_ERROR_REQUEST, true};
  if (judge_tunnel(f, text, verdict)) return;

  long os_errno = 0;
  curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os_errno);
  const char *os_text = os_reason((int)os_errno);
  switch (f->code) {
    case CURLE_COULDNT_RESOLVE_HOST: buf_printf(text, "the name %s cannot be resolved", f->target->host); return;
    case CURLE_COULDNT_RESOLVE_PROXY: buf_printf(text, "the name of the proxy %s cannot be resolved", f->proxy ? f->proxy : ""); return;
    case CURLE_COULDNT_CONNECT:
      buf_printf(text, "cannot connect to %s%s: %s", f->proxy ? "the proxy " : "", f->proxy ? f->proxy : host,
                 os_text ? os_text : curl_text);
      return;
    case CURLE_OPERATION_TIMEDOUT: {
      char phase[640];
      network_phase(f->easy, f->target, f->proxy, f->answering, phase, sizeof phase);
      bool connecting =
          before && f->connect_timeout_ms > 0 && (f->request_timeout_ms <= 0 || f->connect_timeout_ms < f->request_timeout_ms);
      buf_printf(text, "the %s time limit of %lld ms ran out while %s", connecting ? "connect" : "request",
                 (long long)(connecting ? f->connect_timeout_ms : f->request_timeout_ms), phase);
      verdict->sqlstate = connecting ? "HYT01" : "HYT00";
      verdict->kind = DBSQL_ERROR_TIMEOUT;
      return;
    }
    case CURLE_PEER_FAILED_VERIFICATION:
      append_certificate(text, f->easy, at_proxy, whom, curl_text);
      verdict->sqlstate = "08001";
      verdict->may_retry = false;
      return;
    case CURLE_SSL_CONNECT_ERROR:
      append_tls_handshake(text, curl_text, whom);
      buf_printf(text, " (%s)", curl_text);
      verdict->may_retry = !is_lasting_tls_text(curl_text);
      return;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      buf_printf(text, "TLS with %s cannot be set up: %s", whom, curl_text);
      verdict->may_retry = false;
      return;
    case CURLE_PROXY: buf_printf(text, "the proxy %s failed: %s", f->proxy ? f->proxy : "", curl_text); return;
    case CURLE_PARTIAL_FILE: buf_printf(text, "the answer of %s ended early: %s", host, curl_text); return;
    case CURLE_GOT_NOTHING: buf_printf(text, "%s closed the connection without an answer", host); return;
    case CURLE_SEND_FAIL_REWIND:
      buf_printf(text, "%s closed the connection after the request had been sent; it may or may not have been carried out", host);
      return;
    case CURLE_WEIRD_SERVER_REPLY: buf_printf(text, "%s did not answer in HTTP: %s", host, curl_text); return;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      if (!before) {
        buf_printf(text, "%s did not answer in HTTP: %s", host, curl_text);
        return;
      }
      buf_printf(text, "the request to %s cannot be made: %s", host, curl_text);
      verdict->kind = DBSQL_ERROR_DRIVER;
      verdict->sqlstate = "HY000";
      verdict->may_retry = false;
      return;
    default: break;
  }
  if (f->code == CURLE_RECV_ERROR && is_lasting_tls_text(curl_text)) {
    /* TLS 1.3 refuses a client's certificate only after the handshake. */
    append_tls_handshake(text, curl_text, whom);
    buf_printf(text, " (%s)", curl_text);
    verdict->sqlstate = "08001";
    verdict->may_retry = false;
    return;
  }
  if (before && f->proxy && !at_proxy && f->target->tls) {
    buf_printf(text, "the proxy %s did not open a connection to %s: %s", f->proxy, host, os_text ? os_text : curl_text);
    return;
  }
  buf_printf(text, "the connection to %s broke: %s", whom, curl_text);
}

static bool is_tls_code(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return true;
    default: return false;
  }
}

dbsql_status network_error(const struct network_failure *failure, bool *may_retry, dbsql_error **error) {
  *may_retry = false;
  if (failure->code == CURLE_OUT_OF_MEMORY) return error_no_memory(error);
  struct buf text = BUF_INIT, clean = BUF_INIT;
  struct verdict verdict;
  judge(failure, &text, &verdict);
  redact_append(&clean, (const char *)text.data, text.size);
  dbsql_status status;
  if (buf_failed(&text) || !buf_text(&clean)) {
    status = error_no_memory(error);
  } else {
    *may_retry = verdict.may_retry;
    status = error_set(error, verdict.kind, verdict.sqlstate, "%s: %s", failure->what, (const char *)clean.data);
    error_set_host(error, failure->target->host);
    if (is_tls_code(failure->code)) error_set_category(error, CATEGORY_TLS);
    if (error && *error && !(*error)->is_static) (*error)->retryable = verdict.may_retry && !failure->sent;
  }
  buf_free(&text);
  buf_free(&clean);
  return status;
}
