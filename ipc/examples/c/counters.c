/* Counts in the configuration map, and tells of every change to the counters of everybody.
 *
 *   counters NAME TIMES [INSTANCE]
 *
 * makes counters.NAME if it is not there, adds 1 to it TIMES times, and prints every change to
 * counters.* meanwhile. Ends when it has been told of its own last one.
 */
#include <phalanx/map.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Counting {
  char key[PHX_MAP_KEY_BYTES_MAX + 1];
  uint64_t last; /* The value that its own counter had last, as it was told. */
};

static int give_up(const char* what, phx_status status) {
  fprintf(stderr, "counters: %s: %s\n", what, phx_strerror(status));
  return 1;
}

static void on_change(void* context, phx_map map, const phx_map_event* event) {
  struct Counting* self = context;
  uint64_t value = 0;
  (void)map;
  if (event->event == PHX_MAP_LOST) {
    /* What was missed is in the map: whoever needs the values reads them now. */
    printf("lost %llu changes\n", (unsigned long long)event->lost);
    return;
  }
  if (event->value.type != PHX_MAP_U64 || event->value.data == NULL) return;
  memcpy(&value, event->value.data, sizeof value);
  printf("%s = %llu\n", event->key, (unsigned long long)value);
  if (strcmp(event->key, self->key) == 0) self->last = value;
}

int main(int argc, char** argv) {
  struct Counting self = {"", 0};
  phx_map_options options;
  phx_map map = 0;
  phx_status status;
  uint64_t value = 0;
  long times;
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: counters NAME TIMES [INSTANCE]\n");
    return 2;
  }
  times = strtol(argv[2], NULL, 10);
  snprintf(self.key, sizeof self.key, "counters.%s", argv[1]);

  memset(&options, 0, sizeof options);
  options.struct_bytes = sizeof options;
  options.instance = argc == 4 ? argv[3] : NULL;
  if ((status = phx_map_open(&options, &map)) != PHX_OK) return give_up("open", status);
  status = phx_map_get_u64(map, self.key, &value);
  if (status == PHX_NOT_FOUND) status = phx_map_set_u64(map, self.key, 0);
  if (status != PHX_OK) return give_up(self.key, status);
  status =
      phx_map_track_add(map, "counters.", PHX_MAP_MODIFY | PHX_MAP_PREFIX, on_change, &self, NULL);
  if (status != PHX_OK) return give_up("track", status);

  for (long i = 0; i < times; ++i) {
    if ((status = phx_map_inc(map, self.key)) != PHX_OK) return give_up(self.key, status);
  }
  while (times > 0 && self.last < value + (uint64_t)times) {
    status = phx_map_dispatch(map, PHX_DISPATCH_ALL, 1000);
    if (status != PHX_OK && status != PHX_TRY_AGAIN) return give_up("dispatch", status);
  }
  phx_map_close(map);
  return 0;
}
