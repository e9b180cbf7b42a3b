/* client BOARD INDEX MODE SIZE NODES NODE_ID PLACE
 *
 * MODE: flood (send all the time), listen (only receive), ping (one message outstanding), safe
 * (ping with safe messages), trip (ping that waits for somebody's answer), answer (to everybody).
 * BOARD is a file of 64-bit numbers that the conductor maps as well: word 0 go, word 1 stop; from
 * word 8 * (1 + INDEX): ready, delivered, own, members, view_ns. Prints percentiles of pings in ns.
 */
#include "perf/versus_corosync/client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { kBoardBytes = 8192, kSamplesMax = 1 << 20, kBurst = 64, kWaitMs = 10 };
enum { kReady, kDelivered, kOwn, kMembers, kViewNs };

static volatile uint64_t* board;
static volatile uint64_t* mine;
static uint32_t samples[kSamplesMax];
static size_t sample_count;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void client_delivered(struct client* client, uint32_t node, const void* data, size_t bytes) {
  const unsigned char* bytes_of = data;
  if (bytes > 0) client->touched += bytes_of[0] + bytes_of[bytes - 1];
  ++client->delivered;
  client->bytes += bytes;
  if (node == client->self) ++client->own;
}

void client_view(struct client* client, size_t members) {
  client->members = members;
  client->view_ns = now_ns();
  mine[kMembers] = members;
  mine[kViewNs] = client->view_ns;
}

static int stopped(void) { return board[1] != 0; }

static void flood(struct client* client, const void* data, size_t size) {
  while (!stopped()) {
    int sent = 0;
    while (sent < kBurst && backend_send(data, size, 0)) ++sent;
    backend_dispatch(sent > 0 ? 0 : kWaitMs);
    mine[kOwn] = client->own;
    mine[kDelivered] = client->delivered;
  }
}

static void listen_only(struct client* client) {
  while (!stopped()) {
    backend_dispatch(kWaitMs);
    mine[kDelivered] = client->delivered;
  }
}

static uint64_t of_others(const struct client* client) { return client->delivered - client->own; }

static void answer(struct client* client, const void* data, size_t size) {
  uint64_t answered = 0; /* What came while this client waited to begin wants an answer too. */
  while (!stopped()) {
    while (answered < of_others(client) && backend_send(data, size, 0)) ++answered;
    backend_dispatch(answered < of_others(client) ? 0 : kWaitMs);
  }
}

enum wanted { kOwnMessage, kAnAnswer };

static void ping(struct client* client, const void* data, size_t size, enum wanted wanted,
                 int safe) {
  while (!stopped()) {
    const uint64_t before = wanted == kOwnMessage ? client->own : of_others(client);
    const uint64_t start = now_ns();
    if (!backend_send(data, size, safe)) {
      backend_dispatch(kWaitMs);
      continue;
    }
    while ((wanted == kOwnMessage ? client->own : of_others(client)) == before && !stopped())
      backend_dispatch(kWaitMs);
    if (stopped()) return;
    if (sample_count < kSamplesMax) samples[sample_count++] = (uint32_t)(now_ns() - start);
    mine[kDelivered] = client->delivered;
  }
}

static int by_value(const void* a, const void* b) {
  const uint32_t left = *(const uint32_t*)a;
  const uint32_t right = *(const uint32_t*)b;
  return (left > right) - (left < right);
}

static void print_samples(void) {
  qsort(samples, sample_count, sizeof *samples, by_value);
  const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};
  for (size_t i = 0; i < sizeof shares / sizeof *shares && sample_count > 0; ++i)
    printf("%u ", samples[(size_t)(shares[i] * (double)(sample_count - 1))]);
  printf("\n");
}

int main(int argc, char** argv) {
  if (argc != 8) {
    fprintf(stderr,
            "usage: %s BOARD INDEX flood|listen|ping|safe|trip|answer SIZE NODES NODE_ID PLACE\n",
            argv[0]);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* A conductor that is interrupted leaves none behind. */
  const int fd = open(argv[1], O_RDWR);
  board = fd < 0 ? MAP_FAILED : mmap(NULL, kBoardBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (board == MAP_FAILED) {
    perror(argv[1]);
    return 1;
  }
  const size_t index = strtoul(argv[2], NULL, 10);
  const size_t size = strtoul(argv[4], NULL, 10);
  if (8 * 8 * (2 + index) > kBoardBytes) return 2;
  mine = board + 8 * (1 + index);
  struct client client = {.self = (uint32_t)strtoul(argv[6], NULL, 10),
                          .nodes = strtoul(argv[5], NULL, 10)};
  char* data = calloc(1, size + 1);
  if (!data) return 1;
  memset(data, 0x5a, size);
  backend_open(&client, argv[7]);
  while (client.members < client.nodes && !stopped()) backend_dispatch(kWaitMs);
  mine[kReady] = 1;
  while (board[0] == 0 && !stopped()) backend_dispatch(1);
  if (strcmp(argv[3], "flood") == 0) {
    flood(&client, data, size);
  } else if (strcmp(argv[3], "ping") == 0) {
    ping(&client, data, size, kOwnMessage, 0);
  } else if (strcmp(argv[3], "safe") == 0) {
    ping(&client, data, size, kOwnMessage, 1);
  } else if (strcmp(argv[3], "trip") == 0) {
    ping(&client, data, size, kAnAnswer, 0);
  } else if (strcmp(argv[3], "answer") == 0) {
    answer(&client, data, size);
  } else {
    listen_only(&client);
  }
  print_samples();
  backend_close();
  free(data);
  return 0;
}
