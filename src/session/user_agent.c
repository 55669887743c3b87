#include "session/user_agent.h"

#include "base/environment.h"
#include "base/text.h"

static const struct {
  const char *variable;
  const char *name;
} agents[] = {
    {"ANTIGRAVITY_AGENT", "antigravity"}, {"CLAUDECODE", "claude-code"}, {"CLINE_ACTIVE", "cline"}, {"CODEX_CI", "codex"},
    {"CURSOR_AGENT", "cursor"},           {"GEMINI_CLI", "gemini-cli"},  {"OPENCODE", "opencode"},
};

static bool looks_like_token(const char *text) {
  static const char *const prefixes[] = {"dkea", "dskea", "dapi", "dsapi", "dose"};
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    if (text_has_prefix_nocase(text, prefixes[i])) return true;
  }
  return false;
}

void user_agent_append(struct buf *out, const char *entry, bool use_environment) {
  buf_append_text(out, "dbsql/" DBSQL_VERSION);
  if (*entry) buf_printf(out, " (%s)", looks_like_token(entry) ? "REDACTED" : entry);
  if (!use_environment) return;
  const char *found = NULL;
  for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++) {
    if (!environment_get(agents[i].variable)) continue;
    if (found) return;
    found = agents[i].name;
  }
  if (found) buf_printf(out, " agent/%s", found);
}
