/* rubbish_client INSTANCE SEED: a client that attaches, joins, sends, and then writes rubbish into
 * whatever memory it shares with the data plane. 3: it did not get that far. */
#include <phalanx/phalanx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kTooEarly = 3, kMapsMax = 16, kHeadBytes = 512, kPageBytes = 4096, kWrites = 200 };

struct map {
  unsigned long begin, end;
};

/* The writable shared mappings of rings. */
static size_t find_maps(struct map* maps) {
  FILE* file = fopen("/proc/self/maps", "r");
  char line[512];
  size_t count = 0;
  while (file != NULL && count < kMapsMax && fgets(line, sizeof line, file) != NULL) {
    if (strstr(line, "/memfd:phalanx") == NULL || strstr(line, " rw-s ") == NULL) continue;
    if (sscanf(line, "%lx-%lx", &maps[count].begin, &maps[count].end) == 2) ++count;
  }
  if (file != NULL) fclose(file);
  return count;
}

static uint64_t draw(void) { return (uint64_t)random() << 33 ^ (uint64_t)random(); }

static volatile uint64_t* word_of(const struct map* map, uint64_t bytes) {
  const uint64_t size = map->end - map->begin;
  return (volatile uint64_t*)(map->begin + (draw() % (bytes < size ? bytes : size) & ~7UL));
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const unsigned seed = (unsigned)strtoul(argv[2], NULL, 10);
  srandom(seed);
  phx_options options = {.struct_bytes = sizeof options, .instance = argv[1], .no_reattach = 1};
  phx_handle handle = 0;
  phx_group group = 0;
  const struct iovec part = {.iov_base = (char[]){"rubbish"}, .iov_len = 7};
  if (phx_initialize(&options, &handle) != PHX_OK) return kTooEarly;
  if (phx_join(handle, "words", 5, &group) != PHX_OK) return kTooEarly;
  (void)phx_dispatch(handle, PHX_DISPATCH_ALL, 100);

  struct map maps[kMapsMax];
  const size_t count = find_maps(maps);
  if (count == 0) return kTooEarly;
  for (int i = 0; i < kWrites; ++i) {
    const struct map* map = &maps[draw() % count];
    switch (seed % 4) {
      case 0: /* Indices and control words. */
        *word_of(map, kHeadBytes) = draw();
        break;
      case 1: /* Nearly right ones. */
        *word_of(map, kHeadBytes) += draw() % 64 - 8;
        break;
      case 2: /* Anywhere, among honest messages. */
        *word_of(map, ~0UL) = draw();
        (void)phx_multicast(handle, group, &part, 1, PHX_AGREED);
        break;
      default: /* A whole page. */
        for (uint64_t at = 0; at < kPageBytes; at += 8) *word_of(map, kPageBytes) = draw();
    }
  }
  usleep(5000); /* The worker has to see it before the hang-up tells of the end. */
  return 0;
}
