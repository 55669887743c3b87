#include "layout.h"

/* The sum of the widths when none is above `level`. */
static size_t total_at(const size_t *natural, size_t count, size_t level) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += natural[i] < level ? natural[i] : level;
  return total;
}

void layout_fit(const size_t *natural, size_t *widths, size_t count, size_t terminal_columns) {
  size_t widest = 0;
  for (size_t i = 0; i < count; i++) {
    widths[i] = natural[i];
    if (natural[i] > widest) widest = natural[i];
  }
  if (terminal_columns == 0 || count == 0) return;
  size_t frame = 3 * count - 2;
  size_t room = terminal_columns > frame ? terminal_columns - frame : 0;
  if (total_at(natural, count, widest) <= room) return;
  size_t low = LAYOUT_NARROWEST; /* the highest level that fits, by bisection */
  size_t high = widest > LAYOUT_NARROWEST ? widest : LAYOUT_NARROWEST;
  while (low < high) {
    size_t middle = low + (high - low + 1) / 2;
    if (total_at(natural, count, middle) <= room) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  size_t total = total_at(natural, count, low);
  size_t spare = total < room ? room - total : 0;
  for (size_t i = 0; i < count; i++) {
    if (natural[i] <= low) continue;
    widths[i] = low;
    if (spare > 0) { /* what is left over goes to the first that were cut */
      widths[i]++;
      spare--;
    }
  }
}
