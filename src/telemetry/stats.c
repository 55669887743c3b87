#include "telemetry/stats.h"

#include <string.h>

#include "base/clock.h"
#include "telemetry/state.h"
#include "telemetry/wire.h"

enum { ns_per_ms = 1000000 };

static const char *state_of(const struct telemetry *telemetry, const struct client *client, int64_t now_ns, const char **reason) {
  static const char *const reasons[] = {"flag", "flag", "flag", "flag missing", "flag error"};
  *reason = "not asked for";
  if (!telemetry || !client) return "off";
  if (client->off_ns > now_ns) {
    *reason = "status";
    return "refused";
  }
  *reason = "forced";
  if (client->forced) return "on";
  enum flag_state state = client->authorize ? flag_lookup(&client->host->flags, client->flag_name) : FLAG_STATE_ERROR;
  *reason = reasons[state];
  if (state == FLAG_STATE_PENDING) return "pending";
  return state == FLAG_STATE_TRUE ? "on" : "refused";
}

static void of_client(const struct client *client, int64_t now_ns, dbsql_telemetry_stats *stats) {
  static const char *const breakers[] = {"closed", "open", "half-open"};
  const struct host *host = client->host;
  if (host->flags.known || host->flags.failures > 0) {
    stats->flag_age_ms = (now_ns - host->flags.answered_ns) / ns_per_ms;
    stats->flag_ttl_ms = host->flags.fresh_ns / ns_per_ms;
  }
  stats->breaker = breakers[host->breaker.state];
  stats->breaker_wait_ms = (breaker_next_ns(&host->breaker, now_ns) - now_ns) / ns_per_ms;
  stats->received = client->received;
  stats->pending = client->pending.count;
  stats->sent = client->sent;
  stats->accepted = client->accepted;
  stats->rejected = client->rejected;
  stats->dropped_pending = client->dropped[DROP_PENDING];
  stats->dropped_breaker = client->dropped[DROP_BREAKER];
  stats->dropped_disabled = client->dropped[DROP_DISABLED];
  stats->dropped_failed = client->dropped[DROP_FAILED];
  stats->dropped_unmade = client->dropped[DROP_UNMADE];
  stats->dropped_shutdown = client->dropped[DROP_SHUTDOWN];
  stats->batches = client->batches;
  stats->failed_batches = client->failed_batches;
  stats->bytes = client->bytes;
  stats->flag_requests = client->flag_requests;
  stats->last_http_status = client->last_status;
  if (client->last_flush_ns) stats->last_flush_age_ms = (now_ns - client->last_flush_ns) / ns_per_ms;
}

static struct telemetry_state *collect(struct telemetry *telemetry, dbsql_telemetry_stats *stats) {
  *stats = (dbsql_telemetry_stats){.struct_size = sizeof *stats,
                                   .state = "off",
                                   .reason = "not asked for",
                                   .breaker = "closed",
                                   .flag_age_ms = -1,
                                   .last_flush_age_ms = -1};
  stats->dropped_fork = atomic_load(&telemetry_dropped_fork);
  struct telemetry_state *state = telemetry_state_now();
  if (telemetry && telemetry->generation != telemetry_generation_now()) telemetry = NULL;
  if (telemetry) state = telemetry->state;
  if (!state) return NULL;
  pthread_mutex_lock(&state->lock);
  int64_t now = clock_now_ns();
  stats->recorded = ring_position(state->ring);
  stats->dropped_full = atomic_load(&state->dropped_full);
  stats->dropped_closed = atomic_load(&state->dropped_closed);
  stats->state = state_of(telemetry, telemetry ? telemetry->client : NULL, now, &stats->reason);
  if (telemetry && telemetry->client) of_client(telemetry->client, now, stats);
  if (telemetry) {
    stats->local_received = telemetry->local_received;
    stats->local_delivered = telemetry->local_delivered;
    stats->local_dropped = telemetry->local_dropped;
  }
  return state;
}

void telemetry_stats(struct telemetry *telemetry, dbsql_telemetry_stats *stats) {
  dbsql_telemetry_stats all;
  size_t size = stats->struct_size;
  struct telemetry_state *state = collect(telemetry, &all);
  if (state) pthread_mutex_unlock(&state->lock);
  if (size > sizeof all) size = sizeof all;
  memcpy(stats, &all, size);
  stats->struct_size = size;
}

void telemetry_report(struct telemetry *telemetry, struct buf *out) {
  dbsql_telemetry_stats all;
  struct telemetry_state *state = collect(telemetry, &all);
  buf_printf(out, "{\"state\":\"%s\",\"reason\":\"%s\",\"breaker\":\"%s\"", all.state, all.reason, all.breaker);
#define NUMBER(member) buf_printf(out, ",\"" #member "\":%lld", (long long)all.member)
  NUMBER(recorded);
  NUMBER(dropped_full);
  NUMBER(dropped_closed);
  NUMBER(dropped_fork);
  NUMBER(flag_age_ms);
  NUMBER(flag_ttl_ms);
  NUMBER(breaker_wait_ms);
  NUMBER(received);
  NUMBER(pending);
  NUMBER(sent);
  NUMBER(accepted);
  NUMBER(rejected);
  NUMBER(dropped_pending);
  NUMBER(dropped_breaker);
  NUMBER(dropped_disabled);
  NUMBER(dropped_failed);
  NUMBER(dropped_unmade);
  NUMBER(dropped_shutdown);
  NUMBER(batches);
  NUMBER(failed_batches);
  NUMBER(bytes);
  NUMBER(flag_requests);
  NUMBER(last_http_status);
  NUMBER(last_flush_age_ms);
  NUMBER(local_received);
  NUMBER(local_delivered);
  NUMBER(local_dropped);
#undef NUMBER
  const struct buf *body = state && telemetry && telemetry->client ? &telemetry->client->last_body : NULL;
  if (body && body->size > 0) {
    buf_append_text(out, ",\"last_body\":");
    buf_append(out, body->data, body->size);
  }
  buf_append_byte(out, '}');
  if (state) pthread_mutex_unlock(&state->lock);
}
