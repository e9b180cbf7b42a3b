#include "tests/unit/ipc_sam/run.h"

static char big[PHX_SAM_DATA_BYTES_MAX + 1];

static void store_before(void) {
  CHECK_STATUS(PHX_OK, phx_sam_data_store("seed", 4));
  CHECK_STATUS(PHX_INVALID, phx_sam_data_store(NULL, 1));
  CHECK_STATUS(PHX_TOO_BIG, phx_sam_data_store(big, sizeof big));
}

static void must_be(const char* wanted, size_t bytes) {
  size_t kept = 0;
  CHECK_STATUS(PHX_OK, phx_sam_data_getsize(&kept));
  CHECK(kept == bytes);
  CHECK_STATUS(PHX_OK, phx_sam_data_restore(big, sizeof big));
  CHECK(memcmp(big, wanted, bytes) == 0);
}

/* Each hands on to the next and dies at once: no message may be lost with it. */
static int hand_on(uint32_t instance) {
  static char whole[PHX_SAM_DATA_BYTES_MAX];
  memset(whole, 'w', sizeof whole);
  switch (instance) {
    case 1:
      must_be("seed", 4);
      CHECK_STATUS(PHX_OK, phx_sam_data_store("first", 5));
      CHECK_STATUS(PHX_TOO_BIG, phx_sam_data_store(big, sizeof big));
      must_be("first", 5);
      break;
    case 2:
      must_be("first", 5);
      CHECK_STATUS(PHX_OK, phx_sam_data_store(whole, sizeof whole));
      break;
    case 3:
      must_be(whole, sizeof whole);
      CHECK_STATUS(PHX_OK, phx_sam_data_store(NULL, 0));
      break;
    default:
      must_be("", 0);
      return 0;
  }
  raise(SIGKILL);
  return 1;
}

/* A killed store leaves the old bytes or the new ones, whole. */
static int store_all_the_time(uint32_t instance) {
  char block[5000];
  size_t kept = 0;
  CHECK_STATUS(PHX_OK, phx_sam_data_getsize(&kept));
  CHECK(kept == 0 || kept == sizeof block);
  CHECK_STATUS(PHX_OK, phx_sam_data_restore(block, sizeof block));
  for (size_t i = 1; i < kept; i++) CHECK(block[i] == block[0]);
  if (instance == 20) return 0;
  note(instance);
  for (char c = 'a';; c = c == 'z' ? 'a' : (char)(c + 1)) {
    memset(block, c, sizeof block);
    const phx_status status = phx_sam_data_store(block, sizeof block);
    CHECK(status == PHX_OK || status == PHX_TRY_AGAIN);
  }
}

int main(void) {
  CHECK_STATUS(PHX_BAD_HANDLE, phx_sam_data_store("x", 1));

  struct run run = run_start(sam_options(PHX_SAM_RESTART, 0), store_before, hand_on);
  for (int i = 0; i < 3; i++) {
    run_expect(&run, PHX_SAM_STARTED);
    run_expect(&run, PHX_SAM_FAILED);
  }
  run_expect(&run, PHX_SAM_STARTED);
  run_expect(&run, PHX_SAM_ENDED);
  CHECK(run_end(&run) == 0);

  run = run_start(sam_options(PHX_SAM_RESTART, 0), NULL, store_all_the_time);
  for (uint32_t i = 1; i < 20; i++) {
    const pid_t pid = run_expect(&run, PHX_SAM_STARTED).pid;
    CHECK(run_note(&run) == i);
    sleep_ms(3);
    kill(pid, SIGKILL);
    run_expect(&run, PHX_SAM_FAILED);
  }
  run_expect(&run, PHX_SAM_STARTED);
  CHECK(run_expect(&run, PHX_SAM_ENDED).wait_status == 0);
  CHECK(run_end(&run) == 0);
  return 0;
}
