#ifndef EXAMPLE_STATISTICS_H
#define EXAMPLE_STATISTICS_H

#include <stdatomic.h>
#include <stdint.h>

/* A page of counters that a server keeps in shared memory: whoever may open it reads them at any
 * time, without asking the server and without costing it anything. One thread writes. */

enum { kStatisticsService = 1, kStatisticsWork = 0, kStatisticsPath = 1 };

struct statistics_page {
  uint32_t bytes; /* Of this struct: another size is another version. */
  /* Odd while the counters change: who sees that, or two different numbers, reads again. */
  _Atomic uint32_t version;
  _Atomic uint64_t requests;
  _Atomic uint64_t request_bytes;
};

/* Whoever sees one of the new numbers sees that the version is odd, too. */
static inline void statistics_add(struct statistics_page* page, uint64_t bytes) {
  const uint32_t version = atomic_load_explicit(&page->version, memory_order_relaxed);
  atomic_store_explicit(&page->version, version + 1, memory_order_relaxed);
  const uint64_t requests = atomic_load_explicit(&page->requests, memory_order_relaxed);
  const uint64_t all = atomic_load_explicit(&page->request_bytes, memory_order_relaxed);
  atomic_store_explicit(&page->requests, requests + 1, memory_order_release);
  atomic_store_explicit(&page->request_bytes, all + bytes, memory_order_release);
  atomic_store_explicit(&page->version, version + 2, memory_order_release);
}

/* Both counters of one moment. */
static inline void statistics_read(struct statistics_page* page, uint64_t* requests,
                                   uint64_t* request_bytes) {
  uint32_t before, after;
  do {
    before = atomic_load_explicit(&page->version, memory_order_acquire);
    *requests = atomic_load_explicit(&page->requests, memory_order_acquire);
    *request_bytes = atomic_load_explicit(&page->request_bytes, memory_order_acquire);
    after = atomic_load_explicit(&page->version, memory_order_relaxed);
  } while (before != after || before % 2 != 0);
}

#endif
