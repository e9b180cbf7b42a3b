/* supervised [LAST]: counts to LAST (default 9), crashing at 3 and hanging at 6 on the way.
 *
 * The pattern: register first of all, restore what the instance before stored, then say "healthy"
 * with each round of the loop. No daemon is needed. */
#include <phalanx/sam.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail(const char* what, phx_status status) {
  fprintf(stderr, "supervised: %s: %s (%s)\n", what, phx_strerror(status), phx_status_name(status));
  return 1;
}

/* Work with two bugs in it, for a supervisor to be of use. */
static void work(long done, uint32_t instance) {
  printf("instance %u: %ld\n", instance, done);
  fflush(stdout);
  if (done == 3) abort();
  while (done == 6) pause();
}

int main(int argc, char** argv) {
  const long last = argc > 1 ? strtol(argv[1], NULL, 10) : 9;
  const phx_sam_options options = {
      .struct_bytes = sizeof options, .interval_ms = 500, .policy = PHX_SAM_RESTART};
  uint32_t instance = 0;
  phx_status status = phx_sam_initialize(&options);
  if (status == PHX_OK) status = phx_sam_register(&instance);
  /* From here on this is an instance; the process that began is its supervisor. */
  if (status == PHX_OK) status = phx_sam_start();
  if (status != PHX_OK) return fail("not supervised", status);

  long done = 0;
  size_t bytes = 0;
  if (phx_sam_data_getsize(&bytes) == PHX_OK && bytes == sizeof done) {
    (void)phx_sam_data_restore(&done, sizeof done);
  }
  while (done < last) {
    done++;
    /* Before the work, so that the next instance goes on behind what killed this one. */
    status = phx_sam_data_store(&done, sizeof done);
    if (status == PHX_OK) status = phx_sam_hc_send();
    if (status == PHX_DISCONNECTED) return fail("no supervisor any more", status);
    work(done, instance);
  }
  status = phx_sam_stop(); /* So that ending is no failure. */
  return status == PHX_OK ? 0 : fail("cannot end in order", status);
}
